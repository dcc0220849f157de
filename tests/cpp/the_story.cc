// The whole story in the virtual world, in a page: sticky, a cure that cures nothing, the cure, the
// pods that nobody finds, and what makes a client look again.
//
// Ends with 0 if it is so, else with 1 and what was otherwise.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/load.h"

namespace greetlab {
namespace {

int failures = 0;

/// How many calls each pod answered, the most first: {20, 20, 20}.
std::vector<int> answered(SimCluster& cluster, Channel& channel, std::size_t calls,
                          Duration interval = {}) {
  const auto load = start_load(cluster, channel, {.calls = calls, .interval = interval}, {});
  while (!load->done() && cluster.clock().step()) {
  }
  std::map<std::int32_t, int> by_pod;
  for (const std::int32_t pod : load->log().pod) ++by_pod[pod];
  std::vector<int> counts;
  for (const auto& [pod, count] : by_pod) counts.push_back(count);
  std::ranges::sort(counts, std::greater());
  return counts;
}

void expect(const char* what, const std::vector<int>& counts, const std::vector<int>& expected) {
  std::string shown;
  for (const int count : counts) shown.append(" ").append(std::to_string(count));
  std::printf("%s %s:%s\n", counts == expected ? "ok  " : "FAIL", what, shown.c_str());
  failures += counts != expected;
}

Channel& open(SimCluster& cluster, std::string service, std::string policy) {
  ChannelOptions options;
  options.target = std::move(service);
  options.policy.policy = std::move(policy);
  Channel& channel = cluster.open_channel(options);
  channel.connect();
  cluster.clock().run_until(cluster.clock().now() + std::chrono::seconds(1));
  return channel;
}

void the_problem_and_the_cure() {
  SimCluster cluster(SimConfig{});
  const std::string cluster_ip = "greetserver", headless = "greetserver-headless";
  expect("ClusterIP, pick_first", answered(cluster, open(cluster, cluster_ip, "pick_first"), 60),
         {60});
  expect("ClusterIP, round_robin", answered(cluster, open(cluster, cluster_ip, "round_robin"), 60),
         {60});
  expect("headless, pick_first", answered(cluster, open(cluster, headless, "pick_first"), 60),
         {60});
  Channel& fair = open(cluster, headless, "round_robin");
  expect("headless, round_robin", answered(cluster, fair, 60), {20, 20, 20});
  cluster.scale(5);
  expect("five pods, an hour later", answered(cluster, fair, 3600, std::chrono::seconds(1)),
         {1200, 1200, 1200});
}

void what_makes_a_client_look_again() {
  SimConfig config;
  config.network.max_connection_age = std::chrono::seconds(30);
  SimCluster cluster(config);
  Channel& fair = open(cluster, "greetserver-headless", "round_robin");
  cluster.scale(5);
  answered(cluster, fair, 90, std::chrono::seconds(1));
  const std::vector<int> after = answered(cluster, fair, 50);
  expect("five pods and MAX_CONNECTION_AGE", {static_cast<int>(after.size())}, {5});
}

void who_looks_too_early() {
  SimConfig config;
  config.start_interval = std::chrono::seconds(2);
  SimCluster cluster(config);
  Channel& early = open(cluster, "greetserver-headless", "round_robin");
  expect("pods that start one after the other",
         answered(cluster, early, 60, std::chrono::seconds(1)), {60});
}

}  // namespace
}  // namespace greetlab

int main() {
  greetlab::the_problem_and_the_cure();
  greetlab::what_makes_a_client_look_again();
  greetlab::who_looks_too_early();
  return greetlab::failures == 0 ? 0 : 1;
}
