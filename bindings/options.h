// A struct of options, such as ChannelOptions, from Python's keywords.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings.h"
#include "core/distribution.h"

namespace greetlab {

inline constexpr const char* kDistributionsInWords =
    "a number of seconds, two of them (a uniform draw), or a text such as 'exponential 20ms'";

/// A distribution from Python: 0.02, (0.01, 0.03), "exponential 20ms".
/// @throws pybind11::cast_error for what is none of these, std::invalid_argument for one that makes
/// no sense.
inline Distribution distribution(const pybind11::handle& given) {
  if (pybind11::isinstance<pybind11::str>(given)) {
    return parse_distribution(given.cast<std::string>());
  }
  const auto refuse = [&](const char* why) {
    throw std::invalid_argument(std::string(pybind11::str(pybind11::repr(given))) + ": " + why);
  };
  const bool two = pybind11::isinstance<pybind11::tuple>(given);
  const auto [first, last] = two ? given.cast<std::pair<double, double>>()
                                 : std::pair(given.cast<double>(), given.cast<double>());
  const Duration least = seconds(first);
  const Duration most = seconds(last);
  if (most < least) refuse("the smaller number first");
  if (most > kLongestTime) refuse("a year at the most");
  return Distribution::uniform(least, most);
}

/// What Python gives for a member of this type: durations are seconds there.
template <class Value>
Value from_python(const pybind11::handle& given) {
  if constexpr (std::is_same_v<Value, Duration>) {
    return seconds(given.cast<double>());
  } else if constexpr (std::is_same_v<Value, std::optional<Duration>>) {
    if (given.is_none()) return std::nullopt;
    return seconds(given.cast<double>());
  } else if constexpr (std::is_same_v<Value, Distribution>) {
    return distribution(given);
  } else {
    return given.cast<Value>();
  }
}

template <class Value>
pybind11::object to_python(const Value& value) {
  if constexpr (std::is_same_v<Value, Duration>) {
    return pybind11::float_(static_cast<double>(value.count()) / 1e9);
  } else if constexpr (std::is_same_v<Value, std::optional<Duration>>) {
    return value ? to_python(*value) : pybind11::none();
  } else if constexpr (std::is_same_v<Value, Distribution>) {
    if (value.is_constant()) return to_python(value.mean());
    return pybind11::cast(value.text());
  } else {
    return pybind11::cast(value);
  }
}

/// What a value of this type is, for somebody who gave another.
template <class Value>
std::string type_in_words() {
  if constexpr (std::is_same_v<Value, Duration> || std::is_same_v<Value, std::optional<Duration>>) {
    return "a number of seconds";
  } else if constexpr (std::is_same_v<Value, Distribution>) {
    return kDistributionsInWords;
  } else if constexpr (std::is_same_v<Value, bool>) {
    return "True or False";
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return "a word";
  } else if constexpr (std::is_integral_v<Value>) {
    return "a whole number, 0 to " + std::to_string(std::numeric_limits<Value>::max());
  } else {
    return "a whole number, 0 to " +
           std::to_string(std::numeric_limits<typename Value::value_type>::max());
  }
}

/// The struct's defaults, and what of it is `given` by name.
/// @throws pybind11::type_error for an option that there is not, or a value of another type.
template <class Options>
Options options_from(const pybind11::dict& given, Options options = {}) {
  std::size_t taken = 0;
  std::vector<std::string> names;
  std::string there;
  Options::each(options, [&]<class Value>(const char* name, Value& value, const char*) {
    names.emplace_back(name);
    there += (there.empty() ? "" : ", ") + std::string(name);
    if (!given.contains(name)) return;
    ++taken;
    try {
      value = from_python<Value>(given[name]);
    } catch (const pybind11::cast_error&) {
      throw pybind11::type_error(std::string(name) + " " +
                                 std::string(pybind11::str(pybind11::repr(given[name]))) + ": " +
                                 type_in_words<Value>());
    }
  });
  if (taken == given.size()) return options;
  for (const auto& entry : given) {
    const std::string name = pybind11::str(entry.first);
    if (std::ranges::find(names, name) == names.end()) {
      throw pybind11::type_error("no option '" + name + "': there is " + there);
    }
  }
  return options;
}

/// [(name, value, help)] of each, in their order.
template <class Options>
pybind11::list options_shown(const Options& options) {
  pybind11::list all;
  Options::each(options, [&](const char* name, const auto& value, const char* help) {
    all.append(pybind11::make_tuple(name, to_python(value), help));
  });
  return all;
}

/// The same of the defaults.
template <class Options>
pybind11::list options_list() {
  return options_shown(Options{});
}

}  // namespace greetlab
