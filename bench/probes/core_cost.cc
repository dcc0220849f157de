// core_cost: what one step of the pure core costs, in nanoseconds and allocations. No peer: our own
// code under the microscope, called as the channel calls it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/policies/registry.h"
#include "lb/pooled_subchannel.h"
#include "sim/load.h"
#include "sim/network.h"
#include "sim/pod.h"
#include "trace/trace.h"

namespace {
std::uint64_t allocations = 0;
}  // namespace

// None of what is measured here asks for memory that is aligned beyond the usual. Not inlined: GCC
// would see one half of a pair, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace greetlab::bench {
namespace {

// Runs `work`, and prints what one of its `steps` cost.
// @return what `work` returned: whether it did what it should have.
int measure(std::uint64_t steps, const std::function<bool()>& work) {
  const std::uint64_t before = allocations;
  const auto start = std::chrono::steady_clock::now();
  const bool good = work();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  const std::uint64_t asked = allocations - before;
  if (!good) {
    std::cerr << "core_cost: what was measured did not do its work\n";
    return EXIT_FAILURE;
  }
  const auto each = static_cast<double>(steps);
  std::cout << "{\"nanoseconds\": " << took.count() / each
            << ", \"allocations\": " << static_cast<double>(asked) / each << "}\n";
  return EXIT_SUCCESS;
}

constexpr std::string_view kRingHash = "ring_hash_experimental";

// What a policy needs of a channel and its world, with a pod behind every address.
class Client final : private PolicyHelper {
 public:
  Client(const std::string& policy, std::uint32_t backends) : network_(clock_, rng_, trace_, {}) {
    Resolution found;
    for (std::uint32_t i = 0; i < backends; ++i) {
      const std::string number = std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
      SimPod& pod = pods_.emplace_back();
      pod.addresses = {{"10.244." + number, 50051}};
      network_.add(pod);
      found.endpoints.push_back({pod.addresses});
    }
    policy_ = make_policy(complete(config_of(policy)), *this, clock_);
    policy_->update(found, EventId::none);
    if (policy == kRingHash) {
      settle();
      connect_by_key();
    }
    while (picker_->ready() < backends && policy != kRingHash && clock_.step()) {
    }
  }

  /// What a call says: of ring_hash's calls whose it is, one of so many by turns; of others
  /// nothing.
  static constexpr std::size_t kKeys = 4096;
  PickArgs call(std::uint64_t number) const {
    if (keys_.empty()) return {};
    return {CallId{}, &keys_[number % kKeys]};
  }

  /// Policies that do something every so often do it.
  void pass(Duration time) { clock_.run_until(clock_.now() + time); }

  Picker& picker() { return *picker_; }

  /// The sum of all connections: what one round of picks adds up to.
  std::uintptr_t connections() const {
    std::uintptr_t sum = 0;
    for (const auto& [address, subchannel] : subchannels_) {
      sum += reinterpret_cast<std::uintptr_t>(subchannel->connection());
    }
    return sum;
  }

 private:
  void settle() {
    while (clock_.step()) {
    }
  }

  // ring_hash connects to those that somebody's key belongs to.
  void connect_by_key() {
    for (std::size_t i = 0; i < kKeys; ++i) keys_.push_back({{"user-id", std::to_string(i)}});
    for (const Metadata& key : keys_) {
      if (std::holds_alternative<PickWait>(picker_->pick({CallId{}, &key}))) settle();
    }
  }

  // What counts, and weighs, from the first call on.
  static PolicyConfig config_of(const std::string& policy) {
    PolicyConfig config{policy};
    if (policy == kRingHash) config.texts["requestHashHeader"] = "user-id";
    if (policy == "weighted_round_robin") config.fields["blackoutPeriod"] = 0;
    if (policy == "outlier_detection_experimental") config.fields["failurePercentageEjection"] = 1;
    return config;
  }

  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    const auto id = static_cast<SubchannelId>(subchannels_.size() + 1);
    return subchannels_[address] = std::make_shared<PooledSubchannel>(
               PooledSubchannel::Ports{clock_, network_, rng_, trace_, who_, keepalive_}, id,
               address, cause);
  }
  void publish(ConnectivityState, std::unique_ptr<Picker> picker, const Status&, EventId) override {
    picker_ = std::move(picker);
  }
  void request_reresolution(EventId) override {}
  std::optional<std::string> health_service() const override { return std::nullopt; }
  Rng& rng() override { return rng_; }
  Trace& trace() override { return trace_; }
  Symbol who() const override { return who_; }

  VirtualClock clock_;
  Trace trace_{clock_};
  Rng rng_{1};
  const Symbol who_ = trace_.symbol("client");
  KeepaliveConfig keepalive_;
  std::vector<Metadata> keys_;
  std::list<SimPod> pods_;  // a list never moves what it holds
  Network network_;
  std::map<Address, std::shared_ptr<Subchannel>> subchannels_;
  std::unique_ptr<Picker> picker_ = std::make_unique<QueuePicker>();
  std::unique_ptr<LbPolicy> policy_;  // last: it goes first
};

// Channel::pick up to the connection that it hands the call to. So the memory of each subchannel is
// touched, as in real life; but here nothing else wants the caches meanwhile.
int pick(const std::string& policy, std::uint32_t backends, std::uint64_t picks) {
  Client client(policy, backends);
  Picker& picker = client.picker();
  const bool ring = policy == kRingHash;  // of which some may have nobody's key
  if (ring ? picker.ready() == 0 : picker.ready() != backends) {
    std::cerr << "core_cost: not all of the subchannels are READY\n";
    return EXIT_FAILURE;
  }
  const std::uint64_t rounds = picks / backends + 1;
  // Loads of their own, for who weighs them.
  std::vector<Outcome> ends(7);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    ends[i].load = std::make_shared<const LoadReport>(
        LoadReport{.cpu_utilization = 0.5 + 0.05 * static_cast<double>(i), .rps = 100});
  }
  const auto take = [&](std::uint64_t times) {
    std::uintptr_t sum = 0;
    for (std::uint64_t i = 0; i < times * backends; ++i) {
      const Pick picked = picker.pick(client.call(i));
      if (const auto* to = std::get_if<PickTo>(&picked)) {
        sum += reinterpret_cast<std::uintptr_t>(to->subchannel->connection());
        if (to->tracker) to->tracker->on_done(ends[i % ends.size()]);  // the call has ended
      }
    }
    return sum;
  };
  take(1);
  client.pass(std::chrono::seconds(2));
  // The sum proves that the compiler dropped none, and where turns are taken that each connection
  // was taken as often as every other one.
  const std::uintptr_t expected = client.connections() * rounds;
  const bool in_turns = policy == "round_robin";
  return measure(rounds * backends, [&] {
    const std::uintptr_t sum = take(rounds);
    return in_turns ? sum == expected : sum > 0;
  });
}

// The end of a call, as Channel::end tells it: a fact with a word in it.
int emit(std::uint64_t events, bool recorded) {
  const VirtualClock clock;
  Trace trace(clock);
  std::optional<Recording> recording;
  if (recorded) trace.listen(&recording.emplace(events));
  const Symbol who = trace.symbol("client");
  const std::string message = "connection refused";
  const std::uint64_t expected = recorded ? events : 0;
  trace.symbol(message);  // the first time it is kept, and asks for memory
  return measure(events, [&] {
    std::uint64_t heard = 0;
    for (std::uint64_t i = 0; i < events; ++i) {
      const EventId id = trace.emit(who, EventId::none, [&] {
        return CallEnded{static_cast<CallId>(i), Code::unavailable, ConnectionId::none,
                         Symbol::none, trace.symbol(message)};
      });
      heard += id == EventId::none ? 0 : 1;
    }
    return heard == expected && (!recording || recording->events().size() == events);
  });
}

// Calls in a virtual cluster: a client of all its pods, with 64 calls in flight, and no trace.
int simulate(std::uint64_t calls, std::uint32_t pods) {
  SimConfig config;
  config.trace_capacity = 0;
  config.pods = pods;
  SimCluster cluster(config);
  ChannelOptions options;
  options.target = "greetserver-headless";
  options.policy.policy = "round_robin";
  Channel& channel = cluster.open_channel(options);
  const auto call = [&](std::uint64_t count) {
    const auto load =
        start_load(cluster, channel, {count, 64, {}, std::chrono::seconds(5), false}, {});
    while (!load->done() && cluster.clock().step()) {
    }
    return load->done();
  };
  call(std::max<std::uint64_t>(pods, 64));
  return measure(calls, [&] { return call(calls); });
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  CLI::App app("What a step of the pure core costs.");
  app.require_subcommand(1);
  std::uint64_t times = 0;
  std::uint32_t backends = 3;
  bool recorded = false;
  auto* pick = app.add_subcommand("pick", "A pick, all subchannels READY.");
  std::string policy = "round_robin";
  pick->add_option("--policy", policy);
  pick->add_option("--times", times)->required();
  pick->add_option("--backends", backends)->check(CLI::Range(1, 10'000));
  auto* emit = app.add_subcommand("emit", "An event.");
  emit->add_option("--times", times)->required();
  emit->add_flag("--recorded", recorded, "Into a recording; else nobody hears it.");
  auto* simulate = app.add_subcommand("simulate", "A simulated call.");
  std::uint32_t pods = 3;
  simulate->add_option("--times", times)->required();
  simulate->add_option("--pods", pods)->check(CLI::Range(1, 1'000));
  CLI11_PARSE(app, argc, argv);
  if (*pick) return greetlab::bench::pick(policy, backends, times);
  if (*simulate) return greetlab::bench::simulate(times, pods);
  return greetlab::bench::emit(times, recorded);
}
