// The port through which a subchannel reaches a server: HTTP/2 in the live world, a table in
// the simulator.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/address.h"
#include "core/load_report.h"
#include "core/status.h"
#include "lb/keepalive.h"
#include "trace/trace.h"

namespace greetlab {

/// What a call carries from the application to the server and back. The core passes it along and
/// never looks inside; each world has its own kind.
class SubchannelCall {
 public:
  virtual ~SubchannelCall() = default;

  /// Gives up a call that was sent: it ends soon.
  virtual void cancel() = 0;

  /// One more that carries the same, for an attempt beside the first one (gRFC A6, hedging). It
  /// lives no longer than this.
  virtual std::unique_ptr<SubchannelCall> another() const = 0;
};

/// How a call ended on a connection.
struct Outcome {
  Status status;
  Symbol pod = Symbol::none;  ///< Who answered.
  /// Nothing was sent: the connection was gone already, and the call may be picked again.
  bool unsent = false;
  /// The server has begun to answer (its headers have come, and not its trailers alone): the call
  /// is committed to this attempt (gRFC A6).
  bool begun = false;
  /// When the server would be tried again (A6, `grpc-retry-pushback-ms`); less than 0: never.
  std::optional<Duration> pushback = std::nullopt;
  /// What it said of its load at the call's end (A51); nullptr: nothing.
  std::shared_ptr<const LoadReport> load = nullptr;
};

/// Who sends calls, and hears of their ends.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void on_outcome(CallId call, std::uint32_t attempt, const Outcome& outcome,
                          EventId cause) = 0;
};

/// The end of one attempt at a call, to be told to its caller if it is still there. It asks for no
/// memory, as a std::function that holds as much would: there is one for each call that is sent.
class Done {
 public:
  Done() = default;
  Done(std::weak_ptr<Caller> caller, CallId call, std::uint32_t attempt)
      : caller_(std::move(caller)), call_(call), attempt_(attempt) {}
  Done(const Done&) = default;
  Done(Done&& other) noexcept
      : caller_(std::move(other.caller_)),
        call_(std::exchange(other.call_, CallId{})),
        attempt_(other.attempt_) {}
  Done& operator=(Done other) noexcept {
    caller_.swap(other.caller_);
    std::swap(call_, other.call_);
    std::swap(attempt_, other.attempt_);
    return *this;
  }
  ~Done() = default;

  /// Nobody has been told yet.
  explicit operator bool() const { return call_ != CallId{}; }

  void operator()(const Outcome& outcome, EventId cause) const {
    if (const auto caller = caller_.lock()) caller->on_outcome(call_, attempt_, outcome, cause);
  }

 private:
  std::weak_ptr<Caller> caller_;
  CallId call_{};
  std::uint32_t attempt_ = 0;
};

/// What a link is to send: an attempt at a call.
struct Sending {
  CallId call{};
  /// How many attempts there were before this one (gRFC A6: the header
  /// `grpc-previous-rpc-attempts`, where there were some); transparent ones do not count.
  std::uint32_t previous_attempts = 0;
  /// A longer message ends the call with RESOURCE_EXHAUSTED (a methodConfig's
  /// `maxRequestMessageBytes`, `maxResponseMessageBytes`); none: the world's own.
  std::optional<std::uint32_t> max_request_bytes = std::nullopt;
  std::optional<std::uint32_t> max_response_bytes = std::nullopt;
  Time deadline{};
  EventId cause{};  ///< The pick.
  Done done;
};

/// What a server's health service says (grpc/grpc doc/health-checking.md).
enum class Health : std::uint8_t { unknown, serving, not_serving, service_unknown };

/// "SERVING", "NOT_SERVING", ...
constexpr std::string_view to_string(Health health) {
  constexpr std::array<std::string_view, 4> kNames{"UNKNOWN", "SERVING", "NOT_SERVING",
                                                   "SERVICE_UNKNOWN"};
  return kNames[static_cast<std::size_t>(health)];
}

/// Hears what a server says on a stream of its own, beside the calls.
template <class Message>
class StreamWatcher {
 public:
  virtual ~StreamWatcher() = default;
  virtual void on_message(const Message& message, EventId cause) = 0;
  /// The stream is over, while the connection may go on.
  virtual void on_stream_end(const Status& why, EventId cause) = 0;
};
using HealthWatcher = StreamWatcher<Health>;
using LoadWatcher = StreamWatcher<LoadReport>;

/// A stream that somebody watches. Destroying it ends it, also from within what it tells; the
/// watcher hears no more.
class Stream {
 public:
  virtual ~Stream() = default;
};

/// One attempt to connect and, if it comes off, the connection. Destroying it gives up the attempt,
/// or closes the connection as soon as the calls in flight on it have ended.
class Link {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// The server's SETTINGS frame has come.
    virtual void on_connected(EventId cause) = 0;
    /// The attempt failed. The link is of no more use.
    virtual void on_connect_failed(const Status& why, EventId cause) = 0;
    /// The connection is over for new calls. Calls in flight end by themselves.
    virtual void on_lost(EventId cause) = 0;
    /// The server has closed the connection because of its keepalive, which asked every `time`.
    /// Comes before `on_lost`.
    virtual void on_too_many_pings(Duration time, EventId cause) = 0;
  };
  virtual ~Link() = default;

  virtual ConnectionId id() const = 0;

  /// Sends a call. `done` is called once, later, even where the link is destroyed before; at the
  /// latest at the deadline, with DEADLINE_EXCEEDED.
  virtual void send(SubchannelCall& subchannel_call, Sending what) = 0;

  // Streams of the channel's own. They are no calls: nobody counts them, the trace does not have
  // them as such, and they do not keep a channel from going IDLE. Only while it is connected; they
  // end with it at the latest.
  /// grpc.health.v1.Health/Watch (gRFC A17). The watcher, which outlives the stream, hears of it
  /// later.
  virtual std::unique_ptr<Stream> watch_health(const std::string& service,
                                               HealthWatcher& watcher) = 0;
  /// xds.service.orca.v3.OpenRcaService/StreamCoreMetrics (gRFC A51): its load, every `interval`.
  virtual std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) = 0;
};

/// What is to be dialled, and on whose behalf.
struct Dial {
  Symbol who;  ///< The channel.
  SubchannelId subchannel;
  Address address;
  std::uint32_t attempt;  ///< Counts from 1.
  Time deadline;          ///< When an attempt that has not ended has failed.
  KeepaliveConfig keepalive;
  EventId cause;
};

class Connector {
 public:
  virtual ~Connector() = default;

  /// Begins an attempt. The watcher hears of its end later, never before this returns, and nothing
  /// once the link is destroyed. Emits ConnectStarted and what becomes of it.
  virtual std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) = 0;
};

}  // namespace greetlab
