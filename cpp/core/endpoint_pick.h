// How a ClusterIP chooses: one random endpoint per *connection*.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/address.h"
#include "core/rng.h"

namespace greetlab {

/// What kube-proxy's rules do with a new connection: every endpoint has the same chance, whatever
/// was chosen before (iptables: `statistic --mode random` at 1/n, 1/(n-1), ..., 1; nftables:
/// `numgen random`). Never asked per request, and never asked again when the endpoint chosen does
/// not answer. The proxy process and the simulator both use it.
class EndpointPick {
 public:
  explicit EndpointPick(std::uint64_t seed) : rng_(seed) {}

  /// Replaces the endpoints. Connections that were routed before stay where they are.
  void set_endpoints(std::vector<Address> endpoints) { endpoints_ = std::move(endpoints); }

  const std::vector<Address>& endpoints() const { return endpoints_; }

  /// The endpoint for a new connection; nullptr while there is none. Valid until the next
  /// `set_endpoints`.
  const Address* pick();

 private:
  std::vector<Address> endpoints_;
  Rng rng_;
};

}  // namespace greetlab
