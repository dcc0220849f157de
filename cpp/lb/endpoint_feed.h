// A cluster's endpoints as slices, for those who watch them: what Kubernetes' EndpointSlice
// controller and its API server do, for worlds that have neither.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/endpoint_slice.h"
#include "lb/watch_resolver.h"

namespace greetlab {

class EndpointFeed {
 public:
  /// How long news takes from the cluster to a watch; asked for each.
  using Lag = std::function<Duration()>;

  /// A service's endpoints as they are now, of one address each; nothing: there is no such service.
  /// It is asked only where somebody watches.
  using Source =
      std::function<std::optional<std::vector<SliceEndpoint>>(const std::string& service)>;

  /// @param clock outlives it.
  EndpointFeed(Clock& clock, Source source, Lag lag);

  /// A service's endpoints have changed. They are cut into slices of one family and at most
  /// `EndpointSlice::kMost` endpoints: each stays in its slice, a new one comes into the first
  /// slice that has room, and those that are watching hear of each slice that has changed.
  void changed(const std::string& service, EventId cause);

  /// The feed outlives the watch.
  std::unique_ptr<EndpointWatch> watch(std::string service);

 private:
  class Watch;
  struct Changes {
    std::set<std::string> changed;
    std::vector<std::string> deleted;
  };
  using News = std::function<void(EndpointWatch::Watcher&)>;

  struct Service {
    std::vector<EndpointSlice> slices;
    std::uint32_t made = 0;  // slices, ever
  };

  void spread(const std::string& name, const std::vector<SliceEndpoint>& endpoints, EventId cause);
  Changes reconcile(const std::string& name, const std::vector<SliceEndpoint>& endpoints);

  Clock& clock_;
  const Source source_;
  const Lag lag_;
  std::map<std::string, Service> services_;
  std::vector<Watch*> watches_;
};

}  // namespace greetlab
