// What a pretend pod says of its load reaches who sent the call (`Outcome.load`), and says the
// truth.
//
// Ends with 0 if it is so, else with 1 and what was otherwise.
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "core/load_meter.h"
#include "sim/cluster.h"

namespace greetlab {
namespace {

using std::chrono::milliseconds;

int failures = 0;

void expect(const char* what, double seen, double expected) {
  const bool is_so = std::abs(seen - expected) < 1e-9;
  std::printf("%s %s: %g\n", is_so ? "ok  " : "FAIL", what, seen);
  failures += !is_so;
}

/// A connection to a pod, and what came of the calls on it.
class Client : public Link::Watcher, public Caller {
 public:
  void on_connected(EventId) override { connected = true; }
  void on_connect_failed(const Status&, EventId) override {}
  void on_lost(EventId) override {}
  void on_too_many_pings(Duration, EventId) override {}
  void on_outcome(CallId, std::uint32_t, const Outcome& outcome, EventId) override {
    ends.push_back(outcome);
  }

  bool connected = false;
  std::vector<Outcome> ends;
};

std::vector<Outcome> outcomes(SimConfig config, std::uint32_t calls) {
  config.pods = 1;
  config.network.latency = {};
  config.pod.service_time = Duration(milliseconds(50));
  SimCluster cluster(config);
  const auto client = std::make_shared<Client>();
  const Dial dial{cluster.trace().symbol("client"),
                  cluster.trace().next_subchannel(),
                  cluster.pods().front().addresses.front(),
                  1,
                  kNever,
                  {},
                  EventId::none};
  const auto link = cluster.network().dial(dial, *client);
  while (!client->connected) cluster.clock().step();
  std::vector<SimCall> carried(calls);
  for (SimCall& one : carried) {
    const CallId id = cluster.trace().next_call();
    link->send(one,
               {.call = id, .deadline = kNever, .cause = EventId::none, .done = {client, id, 1}});
  }
  while (client->ends.size() < calls) cluster.clock().step();
  return client->ends;
}

void only_where_it_is_asked_for() {
  SimConfig config;
  config.pod.capacity = 2;
  expect("no report", outcomes(config, 1).front().load == nullptr, 1);
}

void of_a_pod_with_a_capacity() {
  SimConfig config;
  config.pod.capacity = 4;
  config.pod.queue = 1;
  config.pod.load_reports = true;
  const auto ends = outcomes(config, 6);  // one is refused at once, four are served, then the fifth
  expect("refused", ends[0].status.code == Code::resource_exhausted, 1);
  expect("it counts as an error", ends[1].load->eps, 20);
  expect("among so many", ends[1].load->rps, 40);
  expect("all of it was busy", ends[1].load->application_utilization, 1);
  expect("the next has begun", ends[1].load->named.at("in_service"), 4);
  expect("and none waits", ends[1].load->named.at("waiting"), 0);
  expect("half as long a quarter of it", ends[5].load->application_utilization, (4 + 1) / 8.);
}

void of_one_without() {
  SimConfig config;
  config.pod.load_reports = true;
  const auto ends = outcomes(config, 3);
  expect("nobody knows how busy", ends[2].load->application_utilization, 0);
  expect("but how many", ends[2].load->rps, 60);
}

void the_last_second_counts() {
  const auto at = [](int ms) { return Time(milliseconds(ms)); };
  LoadMeter meter(at(0));
  meter.serves(2, at(0));
  expect("from the start", meter.report(4, 0, at(250)).application_utilization, 0.5);
  meter.serves(0, at(500));
  meter.ended(true, at(500));
  expect("idle since", meter.report(4, 0, at(1000)).application_utilization, 0.5 * 400 / 900);
  expect("one a second or so", meter.report(4, 0, at(1400)).rps, 1 / .9);
  expect("all that is past", meter.report(4, 0, at(1600)).rps, 0);
  meter.serves(4, at(1600));
  expect("a long silence", meter.report(4, 0, at(9'000)).application_utilization, 1);
  expect("and on from there", meter.report(4, 0, at(9'050)).application_utilization, 1);
}

}  // namespace
}  // namespace greetlab

int main() {
  greetlab::only_where_it_is_asked_for();
  greetlab::of_a_pod_with_a_capacity();
  greetlab::of_one_without();
  greetlab::the_last_second_counts();
  return greetlab::failures == 0 ? 0 : 1;
}
