// A greeting over one connection.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "greet.pb.h"
#include "http2/grpc_call.h"
#include "lb/connector.h"
#include "live/loop.h"

namespace greetlab {

/// From `begin` until its end it keeps itself, and who carries it. Then it may begin again, with
/// the memory of the last time: also from within its own end.
class GreetCall final : public GrpcCall, public std::enable_shared_from_this<GreetCall> {
 public:
  /// The connection that it goes over.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    /// Its end, once.
    /// @param reach what the server can have seen of it.
    virtual void on_call_ended(GreetCall& call, const Status& status, Reach reach) = 0;
    /// It was given up, which the server is to hear.
    virtual void on_given_up() = 0;
  };

  /// What `Link::send` was asked for.
  struct Asked {
    CallId id{};
    Time deadline{};
    EventId cause{};
    Link::Done done;
  };

  explicit GreetCall(const greet::GreetingRequest& request);

  /// It is the carrier's from now on. It ends at the deadline, with DEADLINE_EXCEEDED, also where
  /// it was never sent.
  void begin(Loop& loop, std::shared_ptr<Carrier> carrier, Asked asked);
  /// Once the carrier has a stream for it.
  void send(Http2Session& session, std::string_view authority, std::string_view scheme);

  /// It ends soon, if it has begun.
  void cancel();
  /// It was not sent, and will not be: it ends soon, as unsent.
  void refuse(std::string why);

  bool pending() const { return self_ != nullptr; }
  Asked& asked() { return asked_; }
  /// Of the last one that ended with OK.
  const greet::GreetingResponse& response() const { return response_; }

  /// gRFC A6: a call that reached the server's library, and that the server says it has not looked
  /// at, is sent again without anybody asking: once.
  bool may_be_sent_again(Reach reach, CallId id);

 private:
  void on_message(std::string_view message) override;
  void on_end(const Status& status, Reach reach) override;
  void end_soon(Status status, Reach reach);

  const std::string body_;
  std::shared_ptr<GreetCall> self_;  // while it is on its way
  std::shared_ptr<Carrier> carrier_;
  Loop* loop_ = nullptr;
  Asked asked_;
  Timer timer_;
  CallId refused_{};  // the call that was, last
  bool readable_ = true;
  greet::GreetingResponse response_;
};

}  // namespace greetlab
