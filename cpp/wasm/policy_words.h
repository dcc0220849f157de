// A policy and what it is told, as words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lb/policy.h"

namespace greetlab {

/// "policy", and what begins with "policy.".
bool is_policy_word(std::string_view name);

/// Of policy=least_request, policy.choiceCount=3, policy.childPolicy=round_robin,
/// policy.childPolicy.choiceCount=3: complete.
/// @param named other words than these are left alone. Without any: pick_first.
/// @throws std::invalid_argument for a policy, a field or a value that there is not.
PolicyConfig policy_from(const std::vector<std::pair<std::string, std::string>>& named);

/// The same backwards; what it has by default is left out.
/// @throws std::invalid_argument for a policy that is not in the registry: a learner's own.
std::vector<std::pair<std::string, std::string>> words_of(const PolicyConfig& config);

/// "1.5": 1'500'000, without a double on the way.
/// @throws std::invalid_argument for what is no such number.
std::int64_t millionths(std::string_view text);

/// A field's number as a word: "3", "true", "10s", "1.5".
struct PolicyField;
std::string field_text(const PolicyField& field, std::int64_t value);

}  // namespace greetlab
