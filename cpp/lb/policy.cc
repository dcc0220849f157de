#include "lb/policy.h"

#include <stdexcept>
#include <string>

#include "lb/pick_first.h"
#include "lb/round_robin.h"

namespace greetlab {

std::string_view to_string(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::pick_first: return "pick_first";
    case PolicyKind::round_robin: return "round_robin";
    case PolicyKind::random: return "random";
  }
  return "unknown";
}

PolicyKind parse_policy(std::string_view name) {
  for (const auto kind : {PolicyKind::pick_first, PolicyKind::round_robin, PolicyKind::random}) {
    if (name == to_string(kind)) return kind;
  }
  throw std::invalid_argument("policy '" + std::string(name) +
                              "': there is pick_first, round_robin and random");
}

std::unique_ptr<LbPolicy> make_policy(const PolicyConfig& config, PolicyHelper& helper,
                                      Clock& clock) {
  switch (config.kind) {
    case PolicyKind::round_robin: return std::make_unique<RoundRobin>(helper);
    case PolicyKind::random: return std::make_unique<Random>(helper);
    case PolicyKind::pick_first: break;
  }
  return std::make_unique<PickFirst>(helper, clock, config.shuffle_address_list);
}

}  // namespace greetlab
