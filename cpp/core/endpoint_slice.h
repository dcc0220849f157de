// What a cluster tells of a service's endpoints.
#pragma once

#include <string>
#include <vector>

#include "core/address.h"

namespace greetlab {

/// One endpoint, with its conditions (Kubernetes, discovery.k8s.io/v1).
struct SliceEndpoint {
  std::string pod;                 ///< `targetRef.name`; empty: it says nothing.
  std::vector<Address> addresses;  ///< With the slice's port; of the slice's family. One mostly.
  bool ready = true;               ///< It serves, and nobody has told it to end.
  bool serving = true;             ///< Its readiness probe says so, also while it is ending.
  bool terminating = false;        ///< It was told to end.
  std::vector<std::string>
      zones{};  ///< `hints.forZones`: whose clients it is for, if they heed it.

  bool operator==(const SliceEndpoint&) const = default;
};

/// Some of a service's endpoints: an EndpointSlice. A service has as many slices as it needs, of
/// one family each, and whoever wants its endpoints has to read all of them.
struct EndpointSlice {
  /// The most that a slice has (kube-controller-manager --max-endpoints-per-slice).
  static constexpr std::size_t kMost = 100;

  std::string name;
  std::vector<SliceEndpoint> endpoints;
};

}  // namespace greetlab
