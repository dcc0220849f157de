#include "lb/endpoint_feed.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace greetlab {

// News arrive late, but in order, and none is lost.
class EndpointFeed::Watch final : public EndpointWatch {
 public:
  Watch(EndpointFeed& feed, std::string service) : feed_(feed), service_(std::move(service)) {}
  ~Watch() override { std::erase(feed_.watches_, this); }

  void start(Watcher& watcher, EventId cause) override {
    watcher_ = &watcher;
    std::vector<EndpointSlice> slices;
    if (const auto endpoints = feed_.source_(service_)) {
      feed_.spread(service_, *endpoints, cause);
      slices = feed_.services_[service_].slices;
    }
    feed_.watches_.push_back(this);
    tell([slices = std::move(slices), cause](Watcher& to) { to.on_list(slices, cause); });
  }

  std::string doubt() const override {
    return ", and is this a channel of its cluster's (cluster.channel(\"watch:///...\"))";
  }

  const std::string& service() const { return service_; }

  void tell(News news) {
    const Time due = std::max(feed_.clock_.now() + feed_.lag_(), last_);
    last_ = due;
    coming_.emplace_back(due, std::move(news));
    if (coming_.size() == 1) await();
  }

 private:
  void await() {
    next_ = feed_.clock_.at(coming_.front().first, [this] {
      const News news = std::move(coming_.front().second);
      coming_.pop_front();
      if (!coming_.empty()) await();
      news(*watcher_);
    });
  }

  EndpointFeed& feed_;
  const std::string service_;
  Watcher* watcher_ = nullptr;
  Time last_{};
  std::deque<std::pair<Time, News>> coming_;
  Timer next_;
};

EndpointFeed::EndpointFeed(Clock& clock, Source source, Lag lag)
    : clock_(clock), source_(std::move(source)), lag_(std::move(lag)) {}

std::unique_ptr<EndpointWatch> EndpointFeed::watch(std::string service) {
  return std::make_unique<Watch>(*this, std::move(service));
}

void EndpointFeed::changed(const std::string& name, EventId cause) {
  if (std::ranges::find(watches_, name, &Watch::service) == watches_.end()) return;
  if (const auto endpoints = source_(name)) spread(name, *endpoints, cause);
}

// What the controller does with its slices, and the API server with the news.
void EndpointFeed::spread(const std::string& name, const std::vector<SliceEndpoint>& endpoints,
                          EventId cause) {
  const Changes changes = reconcile(name, endpoints);
  for (Watch* const watch : watches_) {
    if (watch->service() != name) continue;
    for (const EndpointSlice& slice : services_[name].slices) {
      if (!changes.changed.contains(slice.name)) continue;
      watch->tell([slice, cause](EndpointWatch::Watcher& to) { to.on_slice(slice, cause); });
    }
    for (const std::string& gone : changes.deleted) {
      watch->tell([gone, cause](EndpointWatch::Watcher& to) { to.on_slice_deleted(gone, cause); });
    }
  }
}

EndpointFeed::Changes EndpointFeed::reconcile(const std::string& name,
                                              const std::vector<SliceEndpoint>& endpoints) {
  Service& service = services_[name];
  const auto next_name = [](const std::string& of, Service& service) {
    return of + '-' + std::to_string(++service.made);
  };
  const auto address = [](const SliceEndpoint& one) -> const Address& {
    return one.addresses.front();
  };
  std::map<Address, const SliceEndpoint*> now;
  for (const SliceEndpoint& one : endpoints) now.emplace(address(one), &one);
  std::set<std::string> changed;

  // 1. Those that have a slice stay in it, as they are now, or are gone.
  for (EndpointSlice& slice : service.slices) {
    std::vector<SliceEndpoint> kept;
    for (const SliceEndpoint& one : slice.endpoints) {
      const auto found = now.find(address(one));
      if (found == now.end()) continue;
      kept.push_back(*found->second);
      now.erase(found);
    }
    if (kept == slice.endpoints) continue;
    slice.endpoints = std::move(kept);
    changed.insert(slice.name);
  }
  // 2. New ones go where there is room, in their order, or into a new slice.
  for (const SliceEndpoint& one : endpoints) {
    if (now.erase(address(one)) == 0) continue;
    const bool v6 = is_v6(address(one));
    const auto room = std::ranges::find_if(service.slices, [&](const EndpointSlice& slice) {
      return slice.endpoints.size() < EndpointSlice::kMost &&
             (slice.endpoints.empty() || is_v6(address(slice.endpoints.front())) == v6);
    });
    EndpointSlice& slice =
        room != service.slices.end()
            ? *room
            : service.slices.emplace_back(EndpointSlice{next_name(name, service), {}});
    slice.endpoints.push_back(one);
    changed.insert(slice.name);
  }
  // 3. An empty slice is deleted, unless it is the last: a service without pods has one.
  std::vector<std::string> deleted;
  for (auto slice = service.slices.begin(); slice != service.slices.end();) {
    if (slice->endpoints.empty() && service.slices.size() > 1) {
      deleted.push_back(slice->name);
      changed.erase(slice->name);
      slice = service.slices.erase(slice);
    } else {
      ++slice;
    }
  }
  if (service.slices.empty()) {
    service.slices.push_back({next_name(name, service), {}});
    changed.insert(service.slices.back().name);
  }
  return {std::move(changed), std::move(deleted)};
}

}  // namespace greetlab
