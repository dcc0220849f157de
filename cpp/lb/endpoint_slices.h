// The slices of one service, and what they add up to.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/endpoint_slice.h"
#include "lb/endpoint.h"

namespace greetlab {

/// Keeps every slice: a change replaces one of them, and the service is what all of them say
/// together. (Who keeps only the slice that changed last has never more than 100 endpoints, and
/// other ones after each change: kuberesolver#66, go-zero#5659.)
class EndpointSlices {
 public:
  void clear() { slices_.clear(); }
  /// A slice is new, or has changed.
  void put(EndpointSlice slice);
  void remove(std::string_view name);
  std::size_t size() const { return slices_.size(); }

  /// Whom to call: the endpoints that are ready. If none is, those that still serve while they end:
  /// better a pod that is about to go than none (kube-proxy's rule: KEP-1669, Kubernetes 1.28; it
  /// is not CoreDNS's, nor kuberesolver's, both of which go by `ready` alone).
  ///
  /// An address that is in several slices, as it may be while the controller moves it, comes once,
  /// and is what the best of them says. The addresses of one pod are one endpoint: two, where a
  /// cluster has two families (gRFC A61). In the order of the slices' names.
  std::vector<Endpoint> endpoints() const;

  /// "zone-a, zone-b": those that hints name; mostly none do.
  std::string zones() const;

 private:
  std::map<std::string, std::vector<SliceEndpoint>, std::less<>> slices_;
};

}  // namespace greetlab
