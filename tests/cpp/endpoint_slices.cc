// A watcher of EndpointSlices: what all of a service's slices add up to, however they change.
//
// Ends with 0 if it is so.
#include "lb/endpoint_slices.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/endpoint_feed.h"
#include "lb/watch_resolver.h"

using namespace greetlab;

namespace {

bool all_good = true;

void expect(bool good, const char* what) {
  if (good) return;
  std::puts(what);
  all_good = false;
}

Address address(std::size_t pod) {
  return {"10.244." + std::to_string(pod / 250) + "." + std::to_string(pod % 250 + 1), 50051};
}

SliceEndpoint ready(std::size_t pod) {
  return {"pod-" + std::to_string(pod), {address(pod)}};
}

EndpointSlice slice(std::string name, std::size_t first, std::size_t count) {
  EndpointSlice made{std::move(name), {}};
  for (std::size_t pod = first; pod < first + count; ++pod) made.endpoints.push_back(ready(pod));
  return made;
}

// What a channel would be given.
struct Channel final : Resolver::Watcher {
  bool on_resolution(const Resolution& answer, EventId) override {
    ++answers;
    status = answer.status;
    endpoints = answer.endpoints;
    return true;
  }
  std::size_t answers = 0;
  Status status;
  std::vector<Endpoint> endpoints;
};

// The Kubernetes API, by hand.
struct Api final : EndpointWatch {
  void start(Watcher& watcher, EventId) override { to = &watcher; }
  Watcher* to = nullptr;
};

struct World {
  World() {
    auto made = std::make_unique<Api>();
    api = made.get();
    resolver.emplace(trace, trace.symbol("client"), "greetserver", std::move(made));
    resolver->start(channel, EventId::none);
  }
  VirtualClock clock;
  Trace trace{clock};
  Channel channel;
  Api* api = nullptr;
  std::optional<WatchResolver> resolver;
};

void a_change_replaces_one_slice() {
  World world;
  world.api->to->on_list({slice("a", 0, 100), slice("b", 100, 100)}, EventId::none);
  expect(world.channel.endpoints.size() == 200, "not all of two slices");
  // Who keeps the slice that changed last has 101 here (kuberesolver#66, go-zero#5659).
  world.api->to->on_slice(slice("b", 100, 101), EventId::none);
  expect(world.channel.endpoints.size() == 201, "a change of one slice has cost the other");
  world.api->to->on_slice(slice("c", 300, 1), EventId::none);
  expect(world.channel.endpoints.size() == 202, "a new slice is not added");
  world.api->to->on_slice_deleted("a", EventId::none);
  expect(world.channel.endpoints.size() == 102, "a slice that is gone stays");
  // After a watch that broke the list is all there is.
  world.api->to->on_list({slice("d", 7, 3)}, EventId::none);
  expect(world.channel.endpoints.size() == 3, "a new list does not replace what was known");
}

void what_changes_nothing_is_not_passed_on() {
  World world;
  world.api->to->on_list({slice("a", 0, 2)}, EventId::none);
  EndpointSlice later = slice("a", 0, 2);
  later.endpoints.push_back({"pod-2", {address(2)}, false, false, false});
  world.api->to->on_slice(later, EventId::none);
  expect(world.channel.answers == 1, "a pod that is not ready yet was passed on");
}

void no_slice_is_no_service() {
  World world;
  world.api->to->on_list({}, EventId::none);
  expect(!world.channel.status.ok(), "no slice at all is no error");
  world.api->to->on_slice(slice("a", 0, 1), EventId::none);
  expect(world.channel.status.ok() && world.channel.endpoints.size() == 1, "it is stuck there");
  world.api->to->on_slice(slice("a", 0, 0), EventId::none);
  expect(world.channel.status.ok() && world.channel.endpoints.empty(),
         "a service without pods is not empty");
}

void conditions() {
  EndpointSlices slices;
  const SliceEndpoint going{"pod-1", {address(1)}, false, true, true};
  const SliceEndpoint dying{"pod-2", {address(2)}, false, false, true};
  const SliceEndpoint unready{"pod-3", {address(3)}, false, false, false};
  slices.put({"a", {ready(0), going, dying, unready}});
  expect(slices.endpoints() == endpoints_of({address(0)}), "not just the ready one");
  slices.put({"a", {going, dying, unready}});
  expect(slices.endpoints() == endpoints_of({address(1)}),
         "where none is ready: not just the one that serves while it ends");
  slices.put({"a", {dying, unready}});
  expect(slices.endpoints().empty(), "somebody who does not serve");
}

void an_address_comes_once() {
  EndpointSlices slices;
  slices.put(slice("a", 0, 3));
  slices.put(slice("b", 2, 2));
  expect(slices.endpoints().size() == 4, "an address that is in two slices comes twice");
  // While it is moved one of the two is older; the best of them counts.
  slices.put({"b", {{"pod-2", {address(2)}, false, false, false}, ready(3)}});
  expect(slices.endpoints().size() == 4, "the older of two slices took it away");
}

void a_pod_of_two_families_is_one_endpoint() {
  EndpointSlices slices;
  const Address v6{"fd00::1", 50051};
  slices.put({"v4", {ready(0)}});
  slices.put({"v6", {{"pod-0", {v6}}}});
  expect(slices.endpoints() == std::vector<Endpoint>{{{address(0), v6}}},
         "not one endpoint of two");
}

// The other side: how a cluster's pods come into slices.
struct Cluster {
  void set(std::size_t first, std::size_t count) {
    endpoints = slice("", first, count).endpoints;
    feed.changed("s", EventId::none);
    while (clock.step()) {
    }
  }
  VirtualClock clock;
  std::vector<SliceEndpoint> endpoints;
  EndpointFeed feed{clock, [this](const std::string&) { return std::optional(endpoints); },
                    [] { return Duration(5); }};
};

struct Listener final : EndpointWatch::Watcher {
  void on_list(std::vector<EndpointSlice> slices, EventId) override {
    for (EndpointSlice& one : slices)
      all.push_back(one.name), sizes.push_back(one.endpoints.size());
  }
  void on_slice(EndpointSlice one, EventId) override {
    told.push_back(one.name + ":" + std::to_string(one.endpoints.size()));
  }
  void on_slice_deleted(std::string_view name, EventId) override {
    told.push_back(std::string("-").append(name));
  }
  void on_error(const Status&, EventId) override { told.push_back("error"); }
  std::vector<std::string> all, told;
  std::vector<std::size_t> sizes;
};

void pods_are_cut_into_slices() {
  Cluster cluster;
  cluster.endpoints = slice("", 0, 250).endpoints;
  Listener listener;
  const auto watch = cluster.feed.watch("s");
  watch->start(listener, EventId::none);
  while (cluster.clock.step()) {
  }
  using Told = std::vector<std::string>;
  expect(listener.sizes == std::vector<std::size_t>{100, 100, 50}, "not 100, 100, 50");
  expect(cluster.clock.now().time_since_epoch() == Duration(5), "the news took no time");
  cluster.set(0, 251);
  expect(listener.told == Told{"s-3:51"}, "one pod more is not one slice that changed");
  listener.told.clear();
  cluster.set(0, 99);
  expect(listener.told == Told{"s-1:99", "-s-2", "-s-3"}, "slices without pods are not deleted");
  listener.told.clear();
  cluster.set(0, 0);
  expect(listener.told == Told{"s-1:0"}, "the last slice does not stay, empty");
  listener.told.clear();
  cluster.set(0, 0);
  expect(listener.told.empty(), "nothing has changed, and somebody was told");
}

}  // namespace

int main() {
  a_change_replaces_one_slice();
  what_changes_nothing_is_not_passed_on();
  no_slice_is_no_service();
  conditions();
  an_address_comes_once();
  a_pod_of_two_families_is_one_endpoint();
  pods_are_cut_into_slices();
  return all_good ? 0 : 1;
}
