// weighted_round_robin in the virtual world (gRFC A58): pods that report their load, at the end of
// each call or out of band, and one of them that has twice as much to do for the same calls.
//
// Ends with 0 if it is so, else with 1 and what was otherwise.
#include <cstdio>
#include <map>
#include <string>

#include "sim/cluster.h"
#include "sim/load.h"

namespace greetlab {
namespace {

int failures = 0;

void expect(const char* what, std::size_t seen, std::size_t least, std::size_t most) {
  const bool good = least <= seen && seen <= most;
  std::printf("%s %s: %zu, of %zu to %zu\n", good ? "ok  " : "FAIL", what, seen, least, most);
  failures += !good;
}

/// Of 1,000 calls, how many had the slow pod, once its weight is known?
std::size_t of_the_slow_one(bool reports, bool out_of_band) {
  SimConfig config;
  config.pod.load_reports = reports;
  config.pod.capacity = 100;
  SimCluster cluster(config);
  cluster.slow("pod-2", Duration(std::chrono::milliseconds(10)));
  cluster.slow("pod-1", Duration(std::chrono::milliseconds(5)));
  cluster.slow("pod-3", Duration(std::chrono::milliseconds(5)));
  ChannelOptions options;
  options.target = "greetserver-headless";
  options.policy = {"weighted_round_robin",
                    {{"enableOobLoadReport", out_of_band},
                     {"oobReportingPeriod", Duration(std::chrono::seconds(1)).count()},
                     {"blackoutPeriod", Duration(std::chrono::seconds(2)).count()}}};
  Channel& channel = cluster.open_channel(options);
  std::map<std::string, std::size_t> by_pod;
  for (int round = 0; round < 2; ++round) {  // the first one lasts longer than the blackout
    const auto load = start_load(
        cluster, channel, {.calls = 1000, .interval = Duration(std::chrono::milliseconds(10))}, {});
    while (!load->done() && cluster.clock().step()) {
    }
    by_pod.clear();
    for (const std::int32_t pod : load->log().pod) {
      ++by_pod[load->log().pods[static_cast<std::size_t>(pod)].name];
    }
  }
  return by_pod["pod-2"];
}

int run() {
  expect("no reports: its turn", of_the_slow_one(false, false), 330, 337);
  // Half the calls a second for the same load: 1/2 of 2 1/2.
  expect("reports with each call", of_the_slow_one(true, false), 180, 220);
  expect("reports out of band", of_the_slow_one(true, true), 180, 220);
  expect("a pod that has none to give", of_the_slow_one(false, true), 330, 337);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace greetlab

int main() {
  return greetlab::run();
}
