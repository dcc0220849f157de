// Load balancing policies: what they are given, and what they give back.
//
// Glossary, in gRPC's own terms (grpc/grpc src/core/load_balancing/lb_policy.h):
//
//   target        what the application dials: "dns:///greetserver:50051"
//   resolver      turns the target into addresses, and again when it is asked to
//   address       where a server listens: one pod, or a ClusterIP that stands for many
//   endpoint      one server: an address, or several that lead to it (gRFC A61)
//   subchannel    the connection to one address, or the attempts to have one: IDLE, CONNECTING,
//                 READY, TRANSIENT_FAILURE. It has at most one connection, and makes a new one only
//                 when a policy asks it to connect
//   policy        decides which subchannels to have and which of them to use. The control plane:
//                 it acts when addresses or states change, not when calls come
//   picker        what the policy publishes: chooses a subchannel for each call. The data plane: it
//                 holds nothing but what it needs for that, and is replaced, never changed
//   pick          what a picker says of one call: send it there, let it wait, or fail it
//   call tracker  what a picker wants to hear of the end of a call that it picked for
//   child policy  a policy that another one, its parent, has do the work: the parent decides which
//                 addresses it sees
//   channel       resolver, policy and subchannels together: what the application holds. It has the
//                 connectivity state that the policy gives it
//   wait_for_ready  a call that would rather wait than fail
//   call          what the application asked for; it ends exactly once
//   attempt       one try at a call: a pick, and what was sent because of it. A call may have
//                 several, one after the other where nothing was seen of the last one, or at a time
//                 (gRFC A6)
//   subchannel call  what an attempt is on a connection: a stream of HTTP/2, in the live world
//   connector, link  the port through which a subchannel dials, and one dial of it: the attempt to
//                 connect, then the connection
//   list          the addresses that a policy was given together; a new one may be pending until it
//                 can take over
//
// And the house's own:
//
//   port          an interface through which the core reaches what it may not touch itself
//   world         what stands behind the ports: SIM, LOCAL, KUBE; of a trace, where it comes from
//   event, fact, cause  something that happened: what, to whom, when, and because of which event
//   replay        what the events of a trace add up to
//   engine        whose core makes the calls of a channel: the lab's, or gRPC's own
//   load          calls by the thousand through one channel
//   endpoint lag, readiness delay, pre_stop  the times that a cluster takes (sim/cluster.h)
//
// All of it lives on its channel's clock's thread. Nobody calls back before the call that asked for
// it has returned.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/address.h"
#include "core/connectivity.h"
#include "core/metadata.h"
#include "core/rng.h"
#include "core/status.h"
#include "lb/resolver.h"
#include "trace/trace.h"

namespace greetlab {

class Subchannel;

struct Outcome;

/// What a picker can go by.
struct PickArgs {
  CallId call{};
  const Metadata* metadata = nullptr;  ///< None: the call has none.
  /// What the call did last: the cause of what a policy does because somebody wants to call.
  EventId cause = EventId::none;
};

/// Hears of the end of what a pick led to (gRPC C++: `SubchannelCallTrackerInterface`). It may
/// outlive its picker, and the policy: calls end when they end.
class CallTracker {
 public:
  virtual ~CallTracker() = default;
  /// Called exactly once for each pick that named it, on the channel's thread; `unsent` where
  /// nothing was sent because of it. It must not pick, nor call back into the policy.
  virtual void on_done(const Outcome& outcome) = 0;
};

/// Send the call there. If the subchannel has lost its connection meanwhile, the call is picked
/// again from the next picker.
///
/// The subchannel is not shared with the pick: the policy must hold it for as long as it has not
/// published another picker. (Counting a reference for each call would cost as much as the pick.)
struct PickTo {
  Subchannel* subchannel;
  std::shared_ptr<CallTracker> tracker = nullptr;  ///< Mostly none.
};
/// Nobody to send it to yet: it waits for the next picker.
struct PickWait {
  std::string_view reason = "no connection is READY yet";  ///< Lives for ever.
};
/// Fails at once with this status, unless the call is wait_for_ready: then it waits.
struct PickFail {
  Status status;
};
/// Fails with this status whatever the call asked for.
struct PickDrop {
  Status status;
};
using Pick = std::variant<PickTo, PickWait, PickFail, PickDrop>;

class Picker {
 public:
  virtual ~Picker() = default;

  /// Chooses for the next call. Called once an attempt, so it must be quick; it must not publish.
  virtual Pick pick(const PickArgs& args) = 0;

  // For the trace.
  virtual std::string_view name() const = 0;
  /// How many subchannels it chooses from, and where it begins.
  virtual std::uint32_t ready() const { return 0; }
  virtual std::uint32_t start() const { return 0; }
};

/// Calls wait: there is no better picker yet.
class QueuePicker final : public Picker {
 public:
  Pick pick(const PickArgs&) override { return PickWait{}; }
  std::string_view name() const override { return "queue"; }
};

/// Calls fail: TRANSIENT_FAILURE.
class FailPicker final : public Picker {
 public:
  explicit FailPicker(Status status) : status_(std::move(status)) {}
  Pick pick(const PickArgs&) override { return PickFail{status_}; }
  std::string_view name() const override { return "fail"; }

 private:
  Status status_;
};

/// What a policy may do to its channel. It must outlive the policy, which may use it from `update`,
/// `exit_idle` and whatever its subchannels and timers tell it, and must not from a picker.
class PolicyHelper {
 public:
  virtual ~PolicyHelper() = default;

  /// The subchannel for an address. The same address gives the same connection for as long as
  /// somebody holds it, so a new list keeps those of the old one. A parent may give its child
  /// others that stand before its own (lb/delegating_subchannel.h).
  virtual std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) = 0;

  /// The channel's state and picker from now on. The channel owns the picker, and asks it of calls
  /// that wait before this returns; the policy must hold what the picker points to until it has
  /// published another one.
  /// @param why the reason of a TRANSIENT_FAILURE.
  virtual void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
                       EventId cause) = 0;

  /// Asks the resolver for newer addresses.
  virtual void request_reresolution(EventId cause) = 0;

  /// The service whose health its servers are asked for, so that those that are not well get no
  /// calls (`healthCheckConfig` of the service config, gRFC A17); none: nobody is asked.
  virtual std::optional<std::string> health_service() const = 0;

  virtual Rng& rng() = 0;

  /// The channel's trace and its name there.
  virtual Trace& trace() = 0;
  virtual Symbol who() const = 0;
};

/// Owned by its channel, or by its parent policy, which must not destroy it from within one of its
/// calls to the helper. It owns its subchannels and its child.
class LbPolicy {
 public:
  virtual ~LbPolicy() = default;

  /// New endpoints, or a resolver's error: then a policy that has some must go on with them.
  /// @return whether they could be used. If not, the resolver tries again.
  virtual bool update(const Resolution& update, EventId cause) = 0;

  /// Somebody wants to call, and the channel is IDLE. In any other state it must do nothing.
  virtual void exit_idle(EventId cause) = 0;
};

struct PolicyConfig;
class Clock;

/// Makes a policy.
/// @param config has all of the policy's fields. helper, clock: outlive the policy.
using MakePolicy = std::function<std::unique_ptr<LbPolicy>(const PolicyConfig& config,
                                                           PolicyHelper& helper, Clock& clock)>;

/// Which policy, and what it is told: an entry of a service config's `loadBalancingConfig`.
struct PolicyConfig {
  std::string policy = "pick_first";
  /// By their names there, "choiceCount", or "failurePercentageEjection.threshold" where one object
  /// stands in another; in the units that the registry has (`PolicyField`). Those that are not
  /// given have their defaults.
  std::map<std::string, std::int64_t, std::less<>> fields = {};
  /// The first of `childPolicy`; none: the parent's default.
  std::shared_ptr<const PolicyConfig> child = nullptr;
  /// Makes a policy that is not in the registry, a learner's own; else empty.
  MakePolicy make = nullptr;
  /// Those that are words: "requestHashHeader".
  std::map<std::string, std::string, std::less<>> texts = {};
};

}  // namespace greetlab
