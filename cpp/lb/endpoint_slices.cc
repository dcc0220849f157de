#include "lb/endpoint_slices.h"

#include <algorithm>
#include <set>
#include <utility>

namespace greetlab {

void EndpointSlices::put(EndpointSlice slice) {
  slices_.insert_or_assign(std::move(slice.name), std::move(slice.endpoints));
}

void EndpointSlices::remove(std::string_view name) {
  if (const auto found = slices_.find(name); found != slices_.end()) slices_.erase(found);
}

std::vector<Endpoint> EndpointSlices::endpoints() const {
  struct Known {
    const Address* address;
    std::string_view pod;
    bool ready = false;
    bool serves_to_the_end = false;
  };
  std::vector<Known> known;  // in their order
  std::map<Address, std::size_t> places;
  for (const auto& [name, endpoints] : slices_) {
    for (const SliceEndpoint& endpoint : endpoints) {
      for (const Address& address : endpoint.addresses) {
        const auto [place, is_new] = places.emplace(address, known.size());
        if (is_new) known.push_back({&place->first, endpoint.pod});
        Known& one = known[place->second];
        one.ready |= endpoint.ready;
        one.serves_to_the_end |= endpoint.serving && endpoint.terminating;
      }
    }
  }
  const bool any_ready = std::ranges::any_of(known, &Known::ready);
  std::vector<Endpoint> found;
  std::map<std::string_view, std::size_t> pods;
  for (const Known& one : known) {
    if (any_ready ? !one.ready : !one.serves_to_the_end) continue;
    if (!one.pod.empty()) {
      const auto [place, is_new] = pods.emplace(one.pod, found.size());
      if (!is_new) {
        found[place->second].addresses.push_back(*one.address);
        continue;
      }
    }
    found.push_back({{*one.address}});
  }
  return found;
}

std::string EndpointSlices::zones() const {
  std::set<std::string_view> named;
  for (const auto& [name, endpoints] : slices_) {
    for (const SliceEndpoint& endpoint : endpoints) {
      named.insert(endpoint.zones.begin(), endpoint.zones.end());
    }
  }
  std::string text;
  for (const std::string_view zone : named) text.append(text.empty() ? "" : ", ").append(zone);
  return text;
}

}  // namespace greetlab
