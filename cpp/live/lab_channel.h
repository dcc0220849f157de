// The lab's own channel on real connections: lb/ in the live world.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/interrupted.h"
#include "live/greet_done.h"
#include "live/greet_load.h"
#include "live/subchannel_view.h"
#include "live/target.h"
#include "trace/trace.h"

namespace greetlab {

struct LabChannelOptions {
  Target target;
  PolicyConfig policy;
  /// GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS.
  Duration cooldown = std::chrono::seconds(30);
  /// Look up and dial anew for every call, and hang up after it, as the worst of clients do.
  bool connection_per_call = false;
  /// The address that it connects from; empty: the kernel chooses. On loopback all clients would
  /// look alike to who goes by it, as sessionAffinity: ClientIP does.
  std::string source_ip;
  /// Its name in the trace.
  std::string name = "client-1";
  std::uint64_t seed = 0;
  /// How many events are kept; 0: nobody listens.
  std::size_t trace_capacity = 0;
  /// Hears of each in place of that, on the loop. Outlives the channel.
  Trace::Listener* listener = nullptr;
};

/// The channel of lb/, with a loop of its own, real sockets and real DNS. Not connected until the
/// first call or `wait_ready`. Safe to use from several threads.
class LabChannel {
 public:
  /// @throws std::invalid_argument for a source that is no IP address; std::system_error if the
  ///         kernel has no descriptors left; std::runtime_error if
  ///         resolv.conf cannot be read or DNS will not start.
  explicit LabChannel(LabChannelOptions options);
  ~LabChannel();

  /// Makes the calls of `load` and says what became of each. A call that fails is a row like any
  /// other. Blocks until the last one has ended; when interrupted or closed meanwhile, what is in
  /// flight is cancelled, and what was not started stays a row with status 1 (CANCELLED).
  CallLog run(const GreetLoad& load, const Interrupted& interrupted);

  /// Makes one call and returns. `done` hears of its end on the loop, where it may not wait for
  /// anything; CANCELLED where the channel is closed, and then on this thread.
  void greet(greet::GreetingRequest request, Duration timeout, GreetDone done);

  /// Connects, and waits until the channel is READY; with `all`, until each of its subchannels is.
  WaitResult wait_ready(bool all, Duration timeout, const Interrupted& interrupted);

  /// Connects, and waits until `pods` subchannels are READY. While there are fewer, the name is
  /// looked up again, as often as the cooldown lets it: healthy connections would be no reason to
  /// (the cold start of a client that is there before the pods are).
  WaitResult wait_for_pods(std::size_t pods, Duration timeout, const Interrupted& interrupted);

  /// @param connect leave IDLE, as a call would.
  ConnectivityState state(bool connect = false);
  std::vector<SubchannelView> subchannels();

  /// What has happened so far; stays when it is closed.
  const Trace& trace() const;
  std::span<const Event> events() const;
  std::uint64_t dropped() const;

  /// Puts into the trace what the cluster did, so that it tells what the channel only feels. Soon,
  /// in the order in which they are told; nothing once it is closed. `flush` waits until it is
  /// there.
  /// @param change as `PodChanged` has it: "killed", "started", ...
  /// @param ends its connections end because of it. To be told before it is done.
  void tell_pod_changed(std::string pod, Address address, std::string change, bool ends);
  void tell_endpoints_changed(std::string service, std::vector<Address> addresses);
  void flush();

  /// Cancels what is in flight and closes the connections. Later calls fail with CANCELLED. From
  /// within `interrupted` it does not wait: that thread takes the rest down on its way out.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace greetlab
