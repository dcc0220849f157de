#include "lb/subchannel_pool.h"

#include <utility>

#include "core/sort.h"

namespace greetlab {

std::shared_ptr<Subchannel> SubchannelPool::subchannel(const Address& address, EventId cause) {
  std::weak_ptr<Subchannel>& pooled = (*by_address_)[address];
  if (auto existing = pooled.lock()) return existing;
  const auto forget = [weak = std::weak_ptr(by_address_)](PooledSubchannel* gone) {
    if (const auto by_address = weak.lock()) by_address->erase(gone->address());
    delete gone;
  };
  const std::shared_ptr<PooledSubchannel> made(
      new PooledSubchannel(ports_, ports_.trace.next_subchannel(), address, cause), forget);
  pooled = made;
  return made;
}

std::vector<std::shared_ptr<Subchannel>> SubchannelPool::all() const {
  std::vector<std::shared_ptr<Subchannel>> alive;
  for (const auto& [address, pooled] : *by_address_) {
    if (auto subchannel = pooled.lock()) alive.push_back(std::move(subchannel));
  }
  sort(alive, [](const auto& subchannel) { return subchannel->id(); });
  return alive;
}

}  // namespace greetlab
