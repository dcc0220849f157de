// A parent policy that wraps its child's subchannels: each pick comes by the wrapper, and the call
// goes out over the connection that it wraps.
//
// Ends with 0 if it is so, else with 1 and what was otherwise.
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "lb/delegating_helper.h"
#include "lb/delegating_subchannel.h"
#include "lb/policies/registry.h"
#include "lb/static_resolver.h"

namespace greetlab {
namespace {

using Counts = std::map<std::string, int>;  // by IP address

Counts asked, picked, sent;

// Connects at once, and answers at once.
class Wire final : public Link {
 public:
  Wire(Clock& clock, const Address& address, Watcher& watcher)
      : clock_(clock),
        ip_(address.ip),
        next_(clock.at(clock.now(), [&watcher] { watcher.on_connected(EventId::none); })) {}
  ConnectionId id() const override { return static_cast<ConnectionId>(1); }
  void send(SubchannelCall&, Sending what) override {
    ++sent[ip_];
    next_ = clock_.at(clock_.now(), [done = what.done] { done({}, EventId::none); });
  }
  std::unique_ptr<Stream> watch_health(const std::string&, HealthWatcher&) override {
    return nullptr;
  }
  std::unique_ptr<Stream> watch_load(Duration, LoadWatcher&) override { return nullptr; }

 private:
  Clock& clock_;
  const std::string ip_;
  Timer next_;
};

struct Wires final : Connector {
  explicit Wires(Clock& clock) : clock(clock) {}
  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override {
    return std::make_unique<Wire>(clock, dial.address, watcher);
  }
  Clock& clock;
};

class Counted final : public DelegatingSubchannel {
 public:
  using DelegatingSubchannel::DelegatingSubchannel;

  void request_connection(EventId cause) override {
    ++asked[address().ip];
    DelegatingSubchannel::request_connection(cause);
  }
  void on_picked() { ++picked[address().ip]; }
};

class CountingPicker final : public Picker {
 public:
  explicit CountingPicker(std::unique_ptr<Picker> child) : child_(std::move(child)) {}
  Pick pick(const PickArgs& args) override {
    Pick pick = child_->pick(args);
    // What the child picks is what it was given.
    if (auto* to = std::get_if<PickTo>(&pick)) static_cast<Counted*>(to->subchannel)->on_picked();
    return pick;
  }
  std::string_view name() const override { return child_->name(); }

 private:
  const std::unique_ptr<Picker> child_;
};

// Any policy's parent: all that it does is to count.
class Counting final : public LbPolicy, private DelegatingHelper {
 public:
  Counting(PolicyHelper& helper, Clock& clock, const std::string& child)
      : DelegatingHelper(helper), child_(make_policy(complete({child}), *this, clock)) {}

  bool update(const Resolution& update, EventId cause) override {
    return child_->update(update, cause);
  }
  void exit_idle(EventId cause) override { child_->exit_idle(cause); }

 private:
  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    return std::make_shared<Counted>(DelegatingHelper::subchannel(address, cause));
  }
  void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
               EventId cause) override {
    DelegatingHelper::publish(state, std::make_unique<CountingPicker>(std::move(picker)), why,
                              cause);
  }

  const std::unique_ptr<LbPolicy> child_;
};

struct Letter final : SubchannelCall {
  void cancel() override {}
  std::unique_ptr<SubchannelCall> another() const override { return std::make_unique<Letter>(); }
};

std::string shown(const Counts& counts) {
  std::string text;
  for (const auto& [ip, count] : counts) text += " " + ip + " x " + std::to_string(count);
  return text;
}

int failures = 0;

void expect(const std::string& what, const Counts& seen, const Counts& expected) {
  std::printf("%s %s:%s\n", seen == expected ? "ok  " : "FAIL", what.c_str(), shown(seen).c_str());
  failures += seen != expected;
}

void six_calls(const std::string& child, const Counts& expected_asked,
               const Counts& expected_calls) {
  asked = picked = sent = {};
  VirtualClock clock;
  Trace trace(clock);
  Wires wires(clock);
  Letter letter;
  int answered = 0;
  ChannelConfig config;
  config.policy.make = [&child](const PolicyConfig&, PolicyHelper& helper, Clock& clock) {
    return std::make_unique<Counting>(helper, clock, child);
  };
  Channel channel({clock, wires, trace}, config, [&](Rng&, Symbol) {
    return std::make_unique<StaticResolver>(
        clock, std::vector{Address{"10.0.0.1", 1}, Address{"10.0.0.2", 1}});
  });
  channel.connect();
  while (clock.step()) {
  }
  for (int call = 0; call < 6; ++call) {
    channel.call(letter, {}, [&](const CallResult& result) { answered += result.status.ok(); });
    while (clock.step()) {
    }
  }
  expect(child + ": answered", {{"all", answered}}, {{"all", 6}});
  expect(child + ": asked to connect", asked, expected_asked);
  expect(child + ": picked", picked, expected_calls);
  expect(child + ": sent", sent, expected_calls);
}

}  // namespace
}  // namespace greetlab

int main() {
  const greetlab::Counts first{{"10.0.0.1", 1}};
  const greetlab::Counts both{{"10.0.0.1", 1}, {"10.0.0.2", 1}};
  greetlab::six_calls("pick_first", first, {{"10.0.0.1", 6}});
  greetlab::six_calls("round_robin", both, {{"10.0.0.1", 3}, {"10.0.0.2", 3}});
  return greetlab::failures == 0 ? 0 : 1;
}
