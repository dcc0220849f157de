// A channel to greet through, on real connections, whoever makes it work: the lab's own core (live)
// or gRPC's (oracle).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "channel/greet_done.h"
#include "channel/greet_load.h"
#include "channel/method_call.h"
#include "channel/subchannel_view.h"
#include "channel/told.h"
#include "core/address.h"
#include "core/call_log.h"
#include "core/connectivity.h"
#include "core/endpoint_slice.h"
#include "core/interrupted.h"
#include "trace/trace.h"

namespace greetlab {

/// Not connected until the first call, or until somebody waits for it. Safe to use from several
/// threads. It does not survive os.fork: in the child every use of it throws std::runtime_error,
/// and it must not be destroyed there (`open_channel` in engine/engine.h sees to that).
class GreetChannel {
 public:
  virtual ~GreetChannel() = default;

  /// Makes the calls of `load` and says what became of each. A call that fails is a row like any
  /// other. Blocks until the last one has ended; when interrupted or closed meanwhile, what is in
  /// flight is cancelled, and what was not started stays a row with status 1 (CANCELLED).
  virtual CallLog run(const GreetLoad& load, const Interrupted& interrupted) = 0;

  /// Makes one call and returns. `done` hears of its end on another thread, where it may not wait
  /// for anything; CANCELLED where the channel is closed, and then on this thread.
  /// @return ends it with CANCELLED, soon, unless it has ended; from any thread, while the channel
  /// is there.
  using Cancel = std::function<void()>;
  virtual Cancel greet(greet::GreetingRequest request, Duration timeout, GreetDone done) = 0;

  /// Calls any method, and waits for its end. When interrupted or closed meanwhile, it is
  /// cancelled.
  /// @throws std::invalid_argument for a request that cannot be sent (`sendable`).
  virtual MethodAnswer call(MethodRequest request, const Interrupted& interrupted) = 0;

  /// Connects, and waits until the channel is READY; with `all`, until each of its subchannels is.
  virtual WaitResult wait_ready(bool all, Duration timeout, const Interrupted& interrupted) = 0;

  /// Connects, and waits until `pods` subchannels are READY. While there are fewer, the name is
  /// looked up again, as often as the cooldown lets it: healthy connections would be no reason to
  /// (the cold start of a client that is there before the pods are).
  /// @throws std::invalid_argument where nobody can be told to look again: by gRPC's own channel.
  virtual WaitResult wait_for_pods(std::size_t pods, Duration timeout,
                                   const Interrupted& interrupted);

  /// @param connect leave IDLE, as a call would.
  virtual ConnectivityState state(bool connect) = 0;
  virtual std::vector<SubchannelView> subchannels() = 0;

  // What has happened so far; stays when it is closed.
  virtual std::span<const Event> events() const = 0;
  virtual const Symbols& symbols() const = 0;
  virtual std::uint64_t dropped() const = 0;

  /// Puts into the trace what the cluster did, so that it tells what the channel only feels. Soon,
  /// in the order in which they are told; nothing once it is closed, and nothing where the trace
  /// has no decisions. `flush` waits until it is there.
  /// @param change as `PodChanged` has it: "killed", "started", ...
  /// @param ends its connections end because of it. To be told before it is done.
  virtual void tell_pod_changed(std::string /*pod*/, std::vector<Address> /*addresses*/,
                                std::string /*change*/, bool /*ends*/) {}
  /// Also told to the channel itself, if it watches that service (`watch:`).
  /// @param endpoints of one address each: also those that are not ready. lag: how long the news
  /// takes to a channel that watches.
  virtual void tell_endpoints_changed(std::string /*service*/,
                                      std::vector<SliceEndpoint> /*endpoints*/, Duration /*lag*/) {}
  /// What an xDS control plane and its client say, and a proxy on the way. Into the trace of any
  /// channel.
  virtual void tell_xds(const XdsSaid& said) = 0;
  virtual void tell_proxy(const ProxySaid& said) = 0;
  virtual void flush() {}

  /// Cancels what is in flight and closes the connections. Later calls fail with CANCELLED. From
  /// within `interrupted` it does not wait: that thread takes the rest down on its way out.
  virtual void close() = 0;
};

/// The log of a load that came to a closed channel.
CallLog cancelled_log(const GreetLoad& load);

}  // namespace greetlab
