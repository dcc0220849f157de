// A call of the channel's own, beside those of the application: it asks once, and listens.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http2/grpc_call.h"
#include "live/loop.h"

namespace greetlab {

/// A server-streaming method over one connection, which knows nothing of it but its stream.
class SideCall final : public GrpcCall, public std::enable_shared_from_this<SideCall> {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    virtual void on_answer(std::string_view message) = 0;
    virtual void on_over(const Status& why) = 0;
  };

  /// @param path of the method. request: a message. reader: until `leave`.
  SideCall(Loop& loop, std::string path, std::string_view request, Reader& reader);

  void send(Http2Session& session, std::string_view authority, std::string_view scheme);
  /// It will not be sent: it ends soon.
  void refuse(Status why);

  /// The reader hears no more, and the server is told so.
  /// @param carrier is held until nothing more comes of it, as this is.
  void leave(std::shared_ptr<const void> carrier);

 private:
  void on_message(std::string_view message) override;
  void on_end(const Status& status, Reach reach) override;

  Loop& loop_;
  const std::string path_;
  const std::string body_;
  Reader* reader_;  // nullptr: nobody listens
  Timer refused_;
};

}  // namespace greetlab
