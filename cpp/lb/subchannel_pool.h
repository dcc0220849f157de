// A channel's subchannels, one an address.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "lb/pooled_subchannel.h"

namespace greetlab {

/// Makes a subchannel for an address, once for all who want it at the same time: so a new list of
/// addresses keeps the connections of the old one. Who wants them holds them; the pool does not,
/// and when nobody does any more an address is forgotten, too: over months a name has many.
class SubchannelPool {
 public:
  /// All of the world outlives the pool and its subchannels.
  explicit SubchannelPool(PooledSubchannel::Ports ports) : ports_(ports) {}

  /// The one that there is, or a new one, which is IDLE. It may outlive the pool.
  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause);

  /// Those that there are, by number.
  std::vector<std::shared_ptr<Subchannel>> all() const;

 private:
  using ByAddress = std::map<Address, std::weak_ptr<Subchannel>>;

  const PooledSubchannel::Ports ports_;
  const std::shared_ptr<ByAddress> by_address_ = std::make_shared<ByAddress>();
};

}  // namespace greetlab
