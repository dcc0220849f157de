#include "lb/policies/registry.h"

#include <algorithm>

#include "core/misuse.h"

namespace greetlab {

PolicyType pick_first();
PolicyType round_robin();
PolicyType random_policy();
PolicyType least_request();
PolicyType random_subsetting();
PolicyType ring_hash();
PolicyType weighted_round_robin();
PolicyType outlier_detection();

const std::vector<PolicyType>& policies() {
  static const std::vector<PolicyType> all{
      pick_first(),        round_robin(), random_policy(),        least_request(),
      random_subsetting(), ring_hash(),   weighted_round_robin(), outlier_detection()};
  return all;
}

namespace {

/// Policies that are each the child of another: gRPC has no bound, its stack has one.
constexpr int kDeepest = 16;

template <class Named>
std::string names_of(const std::vector<Named>& all) {
  std::string names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    names += (i == 0 ? "" : i + 1 == all.size() ? " and " : ", ") + std::string(all[i].name);
  }
  return names;
}

const PolicyType& type_of(const std::string& name) {
  const auto found = std::ranges::find(policies(), name, &PolicyType::name);
  if (found != policies().end()) return *found;
  misuse({"policy '", name, "': there is ", policy_names()});
}

}  // namespace

std::string policy_names() {
  return names_of(policies());
}

PolicyConfig complete(PolicyConfig config) {
  int depth = 0;
  for (const PolicyConfig* one = &config; one != nullptr; one = one->child.get()) {
    if (++depth > kDeepest) {
      misuse({"more than ", std::to_string(kDeepest), " policies, each the child of another"});
    }
  }
  if (config.make) return config;
  const PolicyType& type = type_of(config.policy);
  for (const auto& [name, value] : config.fields) {
    const auto field = std::ranges::find(type.fields, name, &PolicyField::name);
    if (field == type.fields.end()) {
      misuse({config.policy, " has no field '", name, "': there is ",
              (type.fields.empty() ? "none" : names_of(type.fields))});
    }
    if (value < field->least || value > field->most) {
      misuse({config.policy, ": ", name, " is ", std::to_string(value), "; it is ",
              std::to_string(field->least), " to ", std::to_string(field->most)});
    }
  }
  for (const auto& [name, value] : config.texts) {
    if (std::ranges::find(type.texts, name) != type.texts.end()) continue;
    misuse({config.policy, " has no field '", name, "' that is a text"});
  }
  for (const std::string_view name : type.texts) config.texts.emplace(name, "");
  for (const PolicyField& field : type.fields) {
    if (config.fields.contains(field.name)) continue;
    if (!field.usual) {
      misuse({config.policy, " needs ", field.name});
    }
    config.fields.emplace(field.name, *field.usual);
  }
  if (type.check != nullptr) type.check(config);
  if (type.child.empty() && config.child != nullptr) {
    misuse({config.policy, " has no childPolicy"});
  }
  if (!type.child.empty()) {
    PolicyConfig child = config.child ? *config.child : PolicyConfig{std::string(type.child)};
    config.child = std::make_shared<const PolicyConfig>(complete(std::move(child)));
  }
  return config;
}

bool same(const PolicyConfig& one, const PolicyConfig& other) {
  if (one.make || other.make) return false;  // a learner's own: nobody can tell
  if (one.policy != other.policy || one.fields != other.fields || one.texts != other.texts) {
    return false;
  }
  if (one.child == nullptr || other.child == nullptr) return one.child == other.child;
  return same(*one.child, *other.child);
}

std::unique_ptr<LbPolicy> make_policy(const PolicyConfig& config, PolicyHelper& helper,
                                      Clock& clock) {
  const MakePolicy& make = config.make ? config.make : type_of(config.policy).make;
  return make(config, helper, clock);
}

}  // namespace greetlab
