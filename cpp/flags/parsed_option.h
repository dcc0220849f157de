// Flags whose text a function of ours reads.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "core/duration.h"

namespace greetlab {

/// Adds a flag. What `parse` throws as std::invalid_argument becomes CLI11's error for that flag.
/// @param store is given what `parse` made of the text.
template <class Parse, class Store>
CLI::Option* add_parsed(CLI::App& app, const std::string& flag, const std::string& help,
                        Parse parse, Store store) {
  return app.add_option_function<std::string>(
      flag,
      [flag, parse = std::move(parse), store = std::move(store)](const std::string& text) {
        try {
          store(parse(text));
        } catch (const std::invalid_argument& error) {
          throw CLI::ValidationError(flag, error.what());
        }
      },
      help);
}

/// Adds a duration, "20ms". What the value is by then is its default, and stands in the help; 0 is
/// not told, for there it means something else than a time.
/// @param value a duration of std::chrono, or a std::optional of one; cut to whole milliseconds
/// where that is its unit. Outlives the parsing.
template <class Value>
CLI::Option* add_duration(CLI::App& app, const std::string& flag, Value& value,
                          const std::string& help) {
  const auto store = [&value](std::chrono::nanoseconds parsed) {
    if constexpr (std::is_assignable_v<Value&, std::chrono::nanoseconds>) {
      value = parsed;
    } else {
      value = std::chrono::duration_cast<std::chrono::milliseconds>(parsed);
    }
  };
  std::string told = help;
  if constexpr (requires { value.count(); }) {
    if (value.count() > 0) told += "; default: " + to_text(value);
  }
  return add_parsed(app, flag, told, parse_duration, store)->type_name("DURATION");
}

}  // namespace greetlab
