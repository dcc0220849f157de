// A stream to a server that is kept open beside the calls, and opened again when it ends.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "core/rng.h"
#include "lb/backoff.h"
#include "lb/connector.h"

namespace greetlab {

/// What gRFC A17 has for a server's health, and A51 for its load (C-core:
/// `SubchannelStreamClient`):
/// - a server that does not know the method (UNIMPLEMENTED) is not asked again;
/// - after any other end it is, with the backoff of a connection (lb/backoff.h), or at once where
/// it
///   had said something before.
template <class Message>
class SubchannelStream final : private StreamWatcher<Message> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_message(const Message& message, EventId cause) = 0;
    /// It has ended. @param again when it is opened again; none: it is not.
    virtual void on_stream_end(const Status& why, std::optional<Time> again, EventId cause) = 0;
    /// It is opened again.
    virtual void on_stream_again(EventId) {}
  };
  using Open = std::function<std::unique_ptr<Stream>(Link&, StreamWatcher<Message>&)>;

  /// All of them outlive it, and it may be destroyed from within what it tells its owner.
  SubchannelStream(Open open, Owner& owner, Clock& clock, Rng& rng)
      : open_(std::move(open)), owner_(owner), clock_(clock), rng_(rng) {}

  /// @param link outlives it, or its `stop`.
  void start(Link& link) {
    link_ = &link;
    attempt();
  }

  /// The owner hears no more.
  void stop() {
    stream_.reset();
    timer_.cancel();
    backoff_.reset();
  }

 private:
  void attempt() {
    heard_ = false;
    stream_ = open_(*link_, *this);
  }

  void on_message(const Message& message, EventId cause) override {
    heard_ = true;
    owner_.on_message(message, cause);
  }

  void on_stream_end(const Status& why, EventId cause) override {
    stream_.reset();
    if (why.code == Code::unimplemented) return owner_.on_stream_end(why, std::nullopt, cause);
    if (heard_) backoff_.reset();
    const Time again = clock_.now() + (heard_ ? Duration{} : backoff_.next(rng_));
    timer_ = clock_.at(again, [this, cause] {
      attempt();
      owner_.on_stream_again(cause);
    });
    owner_.on_stream_end(why, again, cause);
  }

  const Open open_;
  Owner& owner_;
  Clock& clock_;
  Rng& rng_;
  Link* link_ = nullptr;
  std::unique_ptr<Stream> stream_;
  bool heard_ = false;  // on this one
  Backoff backoff_;
  Timer timer_;
};

}  // namespace greetlab
