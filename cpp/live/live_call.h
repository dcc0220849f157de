// A call over one connection.
#pragma once

#include <memory>
#include <string>

#include "channel/answer.h"
#include "http2/grpc_call.h"
#include "lb/connector.h"
#include "live/loop.h"

namespace greetlab {

/// From `begin` until its end it keeps itself, and who carries it. Then it may begin again, with
/// the memory of the last time: also from within its own end.
class LiveCall : public GrpcCall, public std::enable_shared_from_this<LiveCall> {
 public:
  /// The connection that it goes over.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    /// Its end, once.
    /// @param reach what the server can have seen of it.
    virtual void on_call_ended(LiveCall& call, const Status& status, Reach reach) = 0;
    /// It was given up, which the server is to hear.
    virtual void on_given_up() = 0;
  };

  /// It is the carrier's from now on. It ends at the deadline, with DEADLINE_EXCEEDED, also where
  /// it was never sent.
  void begin(Loop& loop, std::shared_ptr<Carrier> carrier, Sending asked);
  /// Once the carrier has a stream for it.
  void send(Http2Session& session, std::string_view authority, std::string_view scheme);

  /// It ends soon, if it has begun.
  void cancel();
  /// Whether its message is longer than it may be: then it is not sent, and ends soon, with
  /// RESOURCE_EXHAUSTED.
  bool too_long();
  /// It was not sent, and will not be: it ends soon, as unsent.
  void refuse(std::string why);

  bool pending() const { return self_ != nullptr; }
  Sending& asked() { return asked_; }
  /// Who answered the last one that ended with OK, if the answer says so.
  virtual AnsweringPod answered_by() const { return {}; }

  /// What the server said of its load at the end of the last one (gRFC A51); nullptr: nothing.
  const std::shared_ptr<const LoadReport>& load() const { return load_; }

  /// gRFC A6: a call that reached the server's library, and that the server says it has not looked
  /// at, is sent again without anybody asking: once.
  bool may_be_sent_again(Reach reach, CallId id);

 protected:
  /// What is asked for; authority, scheme and timeout are filled in here.
  virtual GrpcRequest request() const = 0;
  /// The last answer is to be forgotten: the next is to come.
  virtual void forget() = 0;
  /// How it ended, once the answer was looked at.
  virtual Status judged(const Status& status) const { return status; }

  void on_metadata(std::string_view name, std::string_view value, bool trailing) override;

 private:
  void on_end(const Status& status, Reach reach) final;
  void end_soon(Status status, Reach reach);

  std::shared_ptr<LiveCall> self_;  // while it is on its way
  std::shared_ptr<Carrier> carrier_;
  Loop* loop_ = nullptr;
  Sending asked_;
  Timer timer_;
  std::shared_ptr<const LoadReport> load_;
  CallId refused_{};  // the call that was, last
};

}  // namespace greetlab
