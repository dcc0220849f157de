// Client-side health checking in the virtual world (gRFC A17): a pod that says it is not well gets
// no calls within a message's time, where the client asks, and all of its own where none does.
//
// Ends with 0 if it is so, else with 1 and what was otherwise.
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "sim/cluster.h"
#include "sim/load.h"

namespace greetlab {
namespace {

int failures = 0;

void expect(const char* what, int seen, int expected) {
  std::printf("%s %s: %d\n", seen == expected ? "ok  " : "FAIL", what, seen);
  failures += seen != expected;
}

int answered(SimCluster& cluster, Channel& channel, const std::string& pod, std::size_t calls) {
  const auto load = start_load(cluster, channel, {.calls = calls}, {});
  while (!load->done() && cluster.clock().step()) {
  }
  int count = 0;
  for (const std::int32_t one : load->log().pod) {
    count += one >= 0 && load->log().pods[static_cast<std::size_t>(one)].name == pod;
  }
  return count;
}

Channel& open(SimCluster& cluster, std::optional<std::string> health_service,
              std::string policy = "round_robin") {
  ServiceConfig config;
  config.health_service = std::move(health_service);
  ChannelOptions options;
  options.target = "greetserver-headless";
  options.policy.policy = std::move(policy);
  options.service_config = std::make_shared<const ServiceConfig>(config);
  Channel& channel = cluster.open_channel(options);
  channel.connect();
  cluster.clock().run_until(cluster.clock().now() + std::chrono::seconds(1));
  return channel;
}

void pass(SimCluster& cluster, Duration time) {
  cluster.clock().run_until(cluster.clock().now() + time);
}

int facts(const SimCluster& cluster, std::string_view kind) {
  int count = 0;
  for (const Event& event : cluster.recording()->events()) {
    count += std::visit([](const auto& fact) { return fact.kName; }, event.fact) == kind;
  }
  return count;
}

int run() {
  SimConfig config;
  config.endpoint_lag = std::chrono::seconds(60);  // no list tells the clients meanwhile
  SimCluster cluster(config);
  Channel& asks = open(cluster, "");
  Channel& does_not = open(cluster, std::nullopt);
  Channel& first = open(cluster, "", "pick_first");
  expect("all are well", answered(cluster, asks, "pod-2", 30), 10);
  expect("each is asked once, by who asks", facts(cluster, "HealthReported"), 3);
  expect("pick_first asks nobody, and has one", first.subchannels().size() > 0 ? 1 : 0, 1);
  const int started = facts(cluster, "CallStarted");
  cluster.set_serving("pod-2", false);
  pass(cluster, config.network.latency * 6 / 5);  // the longest way
  expect("who asks has left", answered(cluster, asks, "pod-2", 30), 0);
  expect("who does not has not", answered(cluster, does_not, "pod-2", 30), 10);
  cluster.set_serving("pod-2", true);
  cluster.set_serving("pod-2", false);
  cluster.set_serving("pod-2", true);
  pass(cluster, config.network.latency * 6 / 5);
  expect("and comes back, in order", answered(cluster, asks, "pod-2", 30), 10);
  expect("no stream is a call", facts(cluster, "CallStarted") - started, 90);
  // Nor does it keep a channel busy: after half an hour without a call nobody is connected.
  pass(cluster, std::chrono::minutes(31));
  expect("it is IDLE", static_cast<int>(asks.subchannels().size()), 0);
  cluster.set_serving("pod-1", false);
  Channel& unknown = open(cluster, "nobody.Knows");
  expect("a service that they do not know", answered(cluster, unknown, "pod-2", 3), 0);
  // A pod that dies takes its stream with it.
  Channel& late = open(cluster, "greet.GreetService");
  cluster.kill("pod-3");
  cluster.restart("pod-3");
  pass(cluster, std::chrono::seconds(5));
  expect("who is back is asked anew", answered(cluster, late, "pod-3", 30), 15);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace greetlab

int main() {
  return greetlab::run();
}
