// A policy on the bench: its connections do nothing until they are told to, its time stands still
// until it is let go, and everything that it does is written down.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "lb/connector.h"
#include "lb/policy.h"
#include "lb/subchannel.h"
#include "sim/virtual_clock.h"
#include "trace/trace.h"

namespace greetlab {

/// The world of one policy, by hand: whoever holds the bench is the resolver, the network and the
/// clock (gRPC's `lb_policy_test_lib.h` is the model).
///
/// An address is "10.244.0.3:50051" or any short name without a colon, such as "a", and comes back
/// as it was given.
class PolicyBench final : private PolicyHelper, private Connector {
 public:
  /// @throws std::invalid_argument for a policy or a field that there is not.
  PolicyBench(const PolicyConfig& policy, std::uint64_t seed);
  ~PolicyBench() override;

  // The resolver.
  /// An answer: addresses, or an error where `error` is not empty.
  /// @return whether the policy could use it.
  bool update(const std::vector<std::string>& addresses, const std::string& error);
  std::size_t reresolutions() const { return reresolutions_; }

  // The network. @throws std::invalid_argument where there is no such attempt or connection.
  /// The attempt comes off.
  void ready(const std::string& address);
  /// The attempt fails.
  void fail(const std::string& address, const std::string& reason);
  /// The connection breaks.
  void lose(const std::string& address);
  /// The addresses that are being dialled, in the order of dialling.
  std::vector<std::string> connecting() const;
  /// Every attempt ever: seconds since the beginning, and the address.
  const std::vector<std::pair<double, std::string>>& dials() const { return dials_; }

  // The clock.
  void run(Duration duration);
  /// Jumps to the next thing that waits for its time. @return false if there is none.
  bool step();
  double now() const;

  // The channel.
  /// A call comes while the channel is IDLE.
  void exit_idle();
  ConnectivityState state() const { return state_; }
  /// Why it is in TRANSIENT_FAILURE; else empty.
  const std::string& failure() const { return failure_; }
  std::size_t pickers() const { return pickers_; }
  /// What the latest picker says of the next calls: an address, "wait", or "fail: why".
  std::vector<std::string> picks(std::size_t count);
  /// The oldest of the calls that were picked for the address, and that the policy tracks, ends.
  void done(const std::string& address);
  std::map<std::string, std::string> subchannels() const;

  /// What was done to it so far, a line a step.
  std::string script() const;
  /// What it did: "#7 12.000000s client ConnectStarted subchannel=a ... <- #6".
  std::vector<std::string> trace_lines() const;

 private:
  class ScriptedLink;

  // PolicyHelper
  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId because) override;
  void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
               EventId because) override;
  void request_reresolution(EventId because) override;
  Rng& rng() override { return rng_; }
  Trace& trace() override { return trace_; }
  Symbol who() const override { return who_; }

  // Connector
  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override;

  ScriptedLink& find(std::string_view act, const std::string& address, bool connected);
  void note(std::string step);
  std::string text(const Event& event) const;

  VirtualClock clock_;
  Trace trace_;
  Recording recording_;
  Rng rng_;
  const Symbol who_;
  std::vector<std::string> steps_;
  std::vector<ScriptedLink*> links_;  // those that live, in the order of dialling
  std::vector<std::pair<double, std::string>> dials_;
  std::map<Address, std::weak_ptr<Subchannel>> pool_;
  std::vector<std::string> subchannel_names_;                                   // by number, from 1
  std::map<std::string, std::vector<std::shared_ptr<CallTracker>>> in_flight_;  // by address
  std::size_t reresolutions_ = 0;
  std::size_t pickers_ = 0;
  ConnectivityState state_ = ConnectivityState::idle;
  std::string failure_;
  std::unique_ptr<Picker> picker_;
  std::unique_ptr<LbPolicy> policy_;  // last: it goes first
};

}  // namespace greetlab
