#include "lb/watch_resolver.h"

#include <utility>

namespace greetlab {

WatchResolver::WatchResolver(Trace& trace, Symbol who, std::string service,
                             std::unique_ptr<EndpointWatch> watch)
    : trace_(trace), who_(who), service_(std::move(service)), watch_(std::move(watch)) {}

void WatchResolver::start(Resolver::Watcher& watcher, EventId cause) {
  watcher_ = &watcher;
  watch_->start(*this, cause);
}

void WatchResolver::on_list(std::vector<EndpointSlice> slices, EventId cause) {
  slices_.clear();
  for (EndpointSlice& slice : slices) slices_.put(std::move(slice));
  pass_on("LISTED", "", cause);
}

void WatchResolver::on_slice(EndpointSlice slice, EventId cause) {
  const std::string name = slice.name;
  const std::size_t before = slices_.size();
  slices_.put(std::move(slice));
  pass_on(slices_.size() > before ? "ADDED" : "MODIFIED", name, cause);
}

void WatchResolver::on_slice_deleted(std::string_view name, EventId cause) {
  slices_.remove(name);
  pass_on("DELETED", name, cause);
}

void WatchResolver::on_error(const Status& why, EventId cause) {
  knows_ = false;
  Resolution none;
  none.status = why;
  watcher_->on_resolution(none, cause);
}

void WatchResolver::pass_on(std::string_view change, std::string_view slice, EventId cause) {
  std::vector<Endpoint> endpoints = slices_.endpoints();
  const EventId told = trace_.emit(who_, cause, [&] {
    const std::vector<Address> addresses = addresses_of(endpoints);
    return EndpointsTold{trace_.symbol(service_),
                         trace_.symbol(change),
                         trace_.symbol(slice),
                         static_cast<std::uint32_t>(slices_.size()),
                         trace_.symbol(to_string(addresses)),
                         static_cast<std::uint32_t>(addresses.size())};
  });
  if (std::string zones = slices_.zones(); zones != zones_) {
    zones_ = std::move(zones);
    trace_.emit(who_, told,
                [&] { return ZonesHinted{trace_.symbol(service_), trace_.symbol(zones_)}; });
  }
  if (slices_.size() == 0) {
    // Kubernetes keeps an empty slice of a service that has no pods.
    return on_error({Code::unavailable, "no EndpointSlice belongs to a service '" + service_ +
                                            "': is there one" + watch_->doubt() + "?"},
                    told);
  }
  // A pod that is not ready yet, say, changes its slice, and nothing for who calls.
  if (knows_ && endpoints == passed_on_) return;
  knows_ = true;
  passed_on_ = std::move(endpoints);
  Resolution found;
  found.endpoints = passed_on_;
  watcher_->on_resolution(found, told);
}

}  // namespace greetlab
