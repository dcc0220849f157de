#include "config/read_policy.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "core/printable.h"
#include "lb/policies/registry.h"

namespace greetlab {
namespace {

constexpr std::string_view kNoneKnown =
    "C++, Python, Go and Java refuse the config, too; Node takes pick_first and says nothing";

/// gRPC calls some of them "least_request_experimental", for years, and not everywhere the same
/// ones: either name will do.
const PolicyType* type_of(std::string_view name) {
  const auto plain = [](std::string_view one) {
    constexpr std::string_view kExperimental = "_experimental";
    if (one.ends_with(kExperimental)) one.remove_suffix(kExperimental.size());
    return one;
  };
  const auto found = std::ranges::find(policies(), plain(name),
                                       [&](const PolicyType& type) { return plain(type.name); });
  return found == policies().end() ? nullptr : &*found;
}

std::string lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](char c) {
    return 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return small;
}

/// A field's value in the unit that the registry has.
std::optional<std::int64_t> read_field(JsonObject& object, const PolicyField& field,
                                       std::string_view name) {
  switch (field.unit) {
    case FieldUnit::truth: {
      const auto truth = object.truth(name);
      return truth ? std::optional<std::int64_t>(*truth) : std::nullopt;
    }
    case FieldUnit::nanoseconds: {
      const auto duration = object.duration(name);
      if (!duration) return std::nullopt;
      if (duration->count() < field.least || duration->count() > field.most) {
        object.remarks().error(object.at(name) + " is out of its bounds");
        return std::nullopt;
      }
      return duration->count();
    }
    case FieldUnit::millionths: {
      const auto number = object.number(name);
      if (!number) return std::nullopt;
      const double scaled = std::round(*number * 1e6);
      if (scaled < static_cast<double>(field.least) || scaled > static_cast<double>(field.most)) {
        object.remarks().error(object.at(name) + " is out of its bounds");
        return std::nullopt;
      }
      return static_cast<std::int64_t>(scaled);
    }
    case FieldUnit::number: break;
  }
  return object.whole(name, field.least, field.most);
}

/// The fields of one object of a policy's, and of those that stand in it.
/// @param prefix of their names in the registry: "", "successRateEjection.".
void read_fields(JsonObject& object, const PolicyType& type, const std::string& prefix,
                 PolicyConfig& config) {
  for (const PolicyField& field : type.fields) {
    if (!field.name.starts_with(prefix)) continue;
    const std::string_view name = field.name.substr(prefix.size());
    if (name.find('.') != std::string_view::npos) continue;  // of an object in this one
    const std::string inner = std::string(field.name) + '.';
    const bool is_object = std::ranges::any_of(
        type.fields, [&](const PolicyField& one) { return one.name.starts_with(inner); });
    if (!is_object) {
      if (const auto value = read_field(object, field, name)) {
        config.fields.emplace(field.name, *value);
      }
    } else if (auto found = object.object(name)) {
      config.fields.emplace(field.name, 1);
      read_fields(*found, type, inner, config);
      found->finish();
    }
  }
}

std::optional<PolicyConfig> read_policy(const PolicyType& type, const Json& value,
                                        const std::string& path, Remarks& remarks) {
  const std::size_t errors = remarks.errors.size();
  auto object = object_at(value, path, remarks);
  if (!object) return std::nullopt;
  PolicyConfig config{std::string(type.name)};
  read_fields(*object, type, "", config);
  for (const std::string_view name : type.texts) {
    if (const auto text = object->text(name)) config.texts.emplace(name, *text);
  }
  if (!type.child.empty()) {
    if (const Json* list = object->list("childPolicy")) {
      if (auto child = read_policies(*list, object->at("childPolicy"), remarks)) {
        config.child = std::make_shared<const PolicyConfig>(std::move(*child));
      }
    }
  }
  for (const PolicyField& field : type.fields) {
    if (!field.usual && field.name.find('.') == std::string_view::npos) object->require(field.name);
  }
  object->finish();
  if (remarks.errors.size() > errors) return std::nullopt;
  try {
    return complete(std::move(config));
  } catch (const std::invalid_argument& error) {
    remarks.error(path + ": " + error.what());
    return std::nullopt;
  }
}

}  // namespace

std::optional<PolicyConfig> read_policies(const Json& list, const std::string& path,
                                          Remarks& remarks) {
  std::string unknown;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string here = path + '[' + std::to_string(i) + ']';
    const Json& entry = list[i];
    if (!object_at(entry, here, remarks)) return std::nullopt;
    if (entry.size() != 1) {
      remarks.error(here + " has " + std::to_string(entry.size()) +
                    " names: it must have one, a policy's");
      return std::nullopt;
    }
    const std::string name = entry.begin().key();
    if (const PolicyType* type = type_of(name)) {
      return read_policy(*type, entry.front(), here + '.' + name, remarks);
    }
    unknown += (unknown.empty() ? "'" : ", '") + printable(name) + "'";
    if (i + 1 < list.size()) {
      remarks.warn(here + ": policy '" + printable(name) +
                   "' is not known here: the next one is tried");
    }
  }
  remarks.error(
      (unknown.empty() ? path + " is empty" : path + ": policy " + unknown + " is not known here") +
          ": there is " + policy_names(),
      std::string(kNoneKnown));
  return std::nullopt;
}

std::optional<PolicyConfig> read_policy_name(std::string_view name, const std::string& path,
                                             Remarks& remarks) {
  const PolicyType* type = type_of(lower(name));
  if (type == nullptr) {
    remarks.error(
        path + ": policy '" + printable(name) + "' is not known here: there is " + policy_names(),
        "C++, Python and Java refuse the config, too; Go and Node take pick_first and "
        "say nothing");
    return std::nullopt;
  }
  try {
    return complete(PolicyConfig{std::string(type->name)});
  } catch (const std::invalid_argument& error) {
    remarks.error(path + ": " + error.what() + "; loadBalancingConfig can say it");
    return std::nullopt;
  }
}

}  // namespace greetlab
