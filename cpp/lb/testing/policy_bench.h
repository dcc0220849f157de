// A policy on the bench: its connections do nothing until they are told to, its time stands still
// until it is let go, and everything that it does is written down.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "core/virtual_clock.h"
#include "lb/policy.h"
#include "lb/subchannel_pool.h"
#include "lb/testing/scripted_network.h"
#include "trace/trace.h"

namespace greetlab {

/// The world of one policy, by hand: whoever holds the bench is the resolver, the network and the
/// clock (gRPC's `lb_policy_test_lib.h` is the model). Addresses are as in bench_address.h: "a".
class PolicyBench : private PolicyHelper {
 public:
  /// @throws std::invalid_argument for a policy or a field that there is not.
  /// @param health_service of which servers are asked (gRFC A17); none: they are not.
  explicit PolicyBench(const PolicyConfig& policy, std::uint64_t seed = 0,
                       std::optional<std::string> health_service = std::nullopt);
  ~PolicyBench() override;

  // The resolver.
  /// An answer: endpoints ("a", or with several addresses "a+b"), or an error where `error` is not
  /// empty.
  /// @return whether the policy could use it.
  bool update(const std::vector<std::string>& endpoints, const std::string& error = "");
  std::size_t reresolutions() const { return reresolutions_; }

  // The network: see ScriptedNetwork.
  void ready(const std::string& address);
  void fail(const std::string& address, const std::string& reason);
  void lose(const std::string& address);
  void health(const std::string& address, Health health);
  void end_health(const std::string& address, Code code);
  void load(const std::string& address, const LoadReport& load);
  const std::vector<std::string>& streams() const { return network_.streams(); }
  std::vector<std::string> connecting() const { return network_.connecting(); }
  const std::vector<std::pair<double, std::string>>& dials() const { return network_.dials(); }

  // The clock.
  void run(Duration duration);
  /// Jumps to the next thing that waits for its time. @return false if there is none.
  bool step();
  /// Seconds since the beginning.
  double now() const;

  // The channel.
  /// A call comes while the channel is IDLE.
  void exit_idle();
  ConnectivityState state() const { return state_; }
  /// Why it is in TRANSIENT_FAILURE; else empty.
  const std::string& failure() const { return failure_; }
  std::size_t pickers() const { return pickers_; }
  static constexpr std::size_t kMostPicks = 1'000'000;
  /// What the latest picker says of the next calls: an address, "wait", "fail: why" or "drop: why".
  /// @throws std::invalid_argument for more than kMostPicks.
  /// @param metadata of each of them.
  std::vector<std::string> picks(std::size_t count, const Metadata& metadata = {});
  /// The oldest of the calls that were picked for the address, and that the policy tracks, ends.
  /// @throws std::invalid_argument where there is none.
  void done(const std::string& address, const Outcome& outcome = {});
  /// The states of those that there are, by address.
  std::map<std::string, std::string> subchannels() const;

  /// What was done to it so far, a line a step.
  std::string script() const;
  /// What it did. Both live as long as the bench.
  const Recording& recording() const { return recording_; }
  const Symbols& symbols() const { return trace_.symbols(); }

 private:
  // PolicyHelper
  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    return pool_.subchannel(address, cause);
  }
  void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
               EventId cause) override;
  void request_reresolution(EventId cause) override;
  std::optional<std::string> health_service() const override { return health_service_; }
  Rng& rng() override { return rng_; }
  Trace& trace() override { return trace_; }
  Symbol who() const override { return who_; }

  void note(std::string step);

  VirtualClock clock_;
  Trace trace_;
  Recording recording_;
  Rng rng_;
  const Symbol who_;
  const std::optional<std::string> health_service_;
  ScriptedNetwork network_;
  std::vector<std::string> steps_;
  KeepaliveConfig keepalive_;
  SubchannelPool pool_;
  std::map<std::string, std::vector<std::shared_ptr<CallTracker>>> in_flight_;  // by address
  std::size_t reresolutions_ = 0;
  std::size_t pickers_ = 0;
  ConnectivityState state_ = ConnectivityState::idle;
  std::string failure_;
  std::unique_ptr<Picker> picker_;
  std::unique_ptr<LbPolicy> policy_;  // last: it goes first
};

}  // namespace greetlab
