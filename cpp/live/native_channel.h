// gRPC's own channel, with gRPC's own policies: the behaviour that the lab explains, and the oracle
// that our own channel is held to.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/call_log.h"
#include "core/interrupted.h"
#include "live/call_recorder.h"
#include "live/channelz.h"
#include "live/greet_done.h"
#include "live/greet_load.h"

namespace greetlab {

struct NativeChannelOptions {
  /// "dns:///name:port", "dns://server:port/name:port", "static:a:p,b:p", and any target of
  /// gRPC's.
  std::string target;
  /// "pick_first", "round_robin": any policy that this gRPC has; empty = its default.
  std::string policy;
  /// pick_first: try the addresses in random order (gRFC A62; gRPC before 1.56 does not).
  bool shuffle_address_list = false;
  /// GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS.
  std::chrono::nanoseconds cooldown = std::chrono::seconds(30);
  /// Dial anew for every call, and hang up after it, as the worst of clients do.
  bool connection_per_call = false;
  /// Its name in the trace.
  std::string name = "client-1";
  /// How many events are kept: that calls began, and how they ended. 0: none.
  std::size_t trace_capacity = 0;
  /// Hears of them in place of that. Outlives the channel.
  Trace::Listener* listener = nullptr;
};

/// Safe to use from several threads. Not connected until the first call or `wait_ready`.
class NativeChannel {
 public:
  /// @throws std::invalid_argument for a policy that this gRPC does not have.
  explicit NativeChannel(NativeChannelOptions options);
  ~NativeChannel();

  /// Makes the calls of `load` and says what became of each. A call that fails is a row like any
  /// other. Blocks until the last one has ended; when interrupted or closed meanwhile, cancels
  /// what is in flight, and what was not started stays a row with status 1 (CANCELLED).
  CallLog run(const GreetLoad& load, const Interrupted& interrupted);

  /// Makes one call and returns. `done` hears of its end on a thread of gRPC's; CANCELLED where the
  /// channel is closed, and then on this one.
  void greet(greet::GreetingRequest request, std::chrono::nanoseconds timeout, GreetDone done);

  /// Connects, and waits until the channel is READY; with `all`, until every one of its
  /// subchannels is. gRPC tells nobody when a second subchannel of a READY channel becomes READY,
  /// so `all` asks channelz, each millisecond, until it says so.
  WaitResult wait_ready(bool all, std::chrono::nanoseconds timeout, const Interrupted& interrupted);

  /// The channel's connectivity state as gRPC names it: "IDLE", "CONNECTING", "READY",
  /// "TRANSIENT_FAILURE" or "SHUTDOWN".
  /// @param connect leave IDLE, as a call would.
  std::string state(bool connect = false) const;

  /// Observed by channelz, now. Empty before the first connect, and after IDLE.
  std::vector<SubchannelView> subchannels() const;

  /// The outcomes of its calls so far; stays when it is closed.
  const CallRecorder& recorder() const;

  /// Cancels what is in flight and closes the connections. Later calls fail with CANCELLED. From
  /// within `interrupted`, on a thread that is in `run` or `wait_ready`, it does not wait: the
  /// connections are closed when that thread has come out.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace greetlab
