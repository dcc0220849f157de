#include "core/endpoint_pick.h"

namespace greetlab {

const Address* EndpointPick::pick() {
  if (endpoints_.empty()) return nullptr;
  return &endpoints_[rng_.below(endpoints_.size())];
}

}  // namespace greetlab
