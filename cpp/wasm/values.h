// Options by their names, as words: any struct whose `each` has them.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/distribution.h"
#include "core/duration.h"
#include "core/misuse.h"
#include "core/printable.h"

namespace greetlab {

inline constexpr std::string_view kNone = "none";

template <class Value>
struct IsOptional : std::false_type {};
template <class Value>
struct IsOptional<std::optional<Value>> : std::true_type {};

/// What words of this type look like: "whole number", "duration", ...
template <class Value>
constexpr std::string_view type_name() {
  if constexpr (IsOptional<Value>::value) return type_name<typename Value::value_type>();
  if constexpr (std::is_same_v<Value, Duration>) return "duration";
  if constexpr (std::is_same_v<Value, Distribution>) return "distribution";
  if constexpr (std::is_same_v<Value, bool>) return "truth";
  if constexpr (std::is_same_v<Value, std::string>) return "text";
  return "number";
}

/// @return a negative one as its two's complement.
/// @throws std::invalid_argument for what is no whole number, or not within.
std::uint64_t whole_number(std::string_view text, std::int64_t least, std::uint64_t most);

/// @throws std::invalid_argument for what is none of this type, with what is expected.
template <class Value>
Value value_from(std::string_view text) {
  if constexpr (IsOptional<Value>::value) {
    if (text == kNone) return std::nullopt;
    return value_from<typename Value::value_type>(text);
  } else if constexpr (std::is_same_v<Value, Duration>) {
    const Duration duration = parse_duration(text);
    if (duration <= kLongestTime) return duration;
    misuse({"duration '", text, "': a year at the most"});
  } else if constexpr (std::is_same_v<Value, Distribution>) {
    return parse_distribution(text);
  } else if constexpr (std::is_same_v<Value, bool>) {
    if (text == "true" || text == "false") return text == "true";
    misuse({"'", text, "': true or false"});
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return std::string(text);
  } else {
    using Limits = std::numeric_limits<Value>;
    return static_cast<Value>(whole_number(text, Limits::min(), Limits::max()));
  }
}

/// The same backwards.
template <class Value>
std::string text_of(const Value& value) {
  if constexpr (IsOptional<Value>::value) {
    return value ? text_of(*value) : std::string(kNone);
  } else if constexpr (std::is_same_v<Value, Duration>) {
    return to_text(value);
  } else if constexpr (std::is_same_v<Value, Distribution>) {
    return value.text();
  } else if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return value;
  } else {
    return std::to_string(value);
  }
}

/// What can be done with a value, whatever its type.
struct AnyType {
  std::string_view name;
  void (*set)(void* value, std::string_view text);  ///< As `value_from`.
  std::string (*text)(const void* value);
};

template <class Value>
inline constexpr AnyType kAnyType{
    type_name<Value>(),
    [](void* value, std::string_view text) {
      *static_cast<Value*>(value) = value_from<Value>(text);
    },
    [](const void* value) { return text_of(*static_cast<const Value*>(value)); }};

/// An option of any struct: the work is done once for all of them, not once for each type.
struct AnyOption {
  std::string_view name;
  std::string_view help;
  void* value;
  const AnyType* type;
};

/// Of a struct whose `each` has them.
template <class Options>
std::vector<AnyOption> any_options(Options& options) {
  std::vector<AnyOption> all;
  Options::each(options, [&]<class Value>(std::string_view name, Value& value, const char* help) {
    all.push_back({name, help, &value, &kAnyType<Value>});
  });
  return all;
}

inline bool any_name(std::string_view) {
  return true;
}

/// Sets the option of this name.
/// @param there says which of them can be set.
/// @throws std::invalid_argument for one that there is not, with those that there are, or for a
///         word that is no value of it.
void set_option(const std::vector<AnyOption>& options, std::string_view name, std::string_view text,
                bool (*there)(std::string_view) = any_name);

}  // namespace greetlab
