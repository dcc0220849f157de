// Every policy there is, by name. A new one is a file beside this, and a line in registry.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lb/policy.h"

namespace greetlab {

/// What a policy's field counts, and so how a service config writes it.
enum class FieldUnit : std::uint8_t {
  number,       ///< 3
  truth,        ///< true, false: 1, 0
  nanoseconds,  ///< "10s", "0.25s"
  millionths,   ///< 1.5: 1'500'000
};

/// A number that a policy can be told.
struct PolicyField {
  /// As a service config has it: "choiceCount"; "successRateEjection.minimumHosts" stands in an
  /// object, and that object's name alone is a truth: whether it was given.
  std::string_view name;
  std::optional<std::int64_t> usual;  ///< None: it has to be given.
  std::int64_t least;
  std::int64_t most;
  FieldUnit unit = FieldUnit::number;
};

/// A kind of policy.
struct PolicyType {
  std::string_view name;  ///< As a service config has it: "round_robin".
  std::vector<PolicyField> fields = {};
  std::vector<std::string_view> texts = {};  ///< Fields that are words; each is empty if not given.
  std::string_view child = {};  ///< The policy of its child, where none is given; empty: no parent.
  MakePolicy make;
  /// Throws std::invalid_argument, in words, for fields that do not go together; most have no such
  /// rule. It is given all of them.
  void (*check)(const PolicyConfig& config) = nullptr;
};

/// All of them; pick_first, the default, is the first.
const std::vector<PolicyType>& policies();

/// "pick_first, round_robin and random": for sentences.
std::string policy_names();

/// The same with every field that the policy has, and the child that it needs.
/// @throws std::invalid_argument for a policy or a field that there is not, or a value out of its
///         bounds; it names what there is.
PolicyConfig complete(PolicyConfig config);

/// Whether two complete ones ask for the same.
bool same(const PolicyConfig& one, const PolicyConfig& other);

/// @param config a complete one. helper, clock: outlive the policy.
std::unique_ptr<LbPolicy> make_policy(const PolicyConfig& config, PolicyHelper& helper,
                                      Clock& clock);

}  // namespace greetlab
