// Virtual worlds on several threads at once: they share nothing, says ThreadSanitizer, and so the
// same seed ends alike on each.
#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "sim/cluster.h"
#include "sim/load.h"

using namespace greetlab;

namespace {

// Its events, as a number.
std::uint64_t live(std::uint64_t seed) {
  SimConfig config;
  config.seed = seed;
  SimCluster cluster(config);
  ChannelOptions client{.target = "greetserver-headless"};
  client.policy.policy = "round_robin";
  Channel& channel = cluster.open_channel(client);
  LoadConfig calls;
  calls.calls = 2'000;
  calls.concurrency = 8;
  const auto load = start_load(cluster, channel, calls, std::nullopt);
  cluster.clock().run_until(Time(std::chrono::milliseconds(20)));
  cluster.kill("pod-2");
  cluster.scale(5);
  cluster.clock().run_until(Time(std::chrono::seconds(60)));
  std::uint64_t sum = load->done() ? 1 : 0;
  for (const Event& event : cluster.recording()->events()) {
    sum = sum * 31 + static_cast<std::uint64_t>(event.at.time_since_epoch().count()) + event.kind;
  }
  return sum;
}

}  // namespace

int main() {
  std::array<std::uint64_t, 4> sums{};
  std::array<std::thread, 4> threads;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = std::thread([&sums, i] { sums[i] = live(7); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t sum : sums) {
    if (sum != sums[0]) return std::puts("the same seed, another world"), 1;
  }
  return 0;
}
