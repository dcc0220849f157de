// An entry of a service config's loadBalancingConfig, as the policy that it names.
#pragma once

#include <optional>
#include <string>

#include "config/json_object.h"
#include "lb/policy.h"

namespace greetlab {

/// The first policy of a list that is known here (grpc-proto service_config.proto,
/// LoadBalancingConfig: "the first policy in the list that is supported"), with its fields as the
/// registry has them. Nothing, with errors in `remarks`, if there is none, or it makes no sense.
/// @param path where the list stands: "loadBalancingConfig".
std::optional<PolicyConfig> read_policies(const Json& list, const std::string& path,
                                          Remarks& remarks);

/// `loadBalancingPolicy`, the old way to say it: a name in any case, and no fields.
std::optional<PolicyConfig> read_policy_name(std::string_view name, const std::string& path,
                                             Remarks& remarks);

}  // namespace greetlab
