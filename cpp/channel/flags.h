// The channel that a program's command line, and its environment, ask for.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "flags/parsed_option.h"
#include "lb/channel_options.h"
#include "lb/policies/registry.h"

namespace greetlab {

/// Has a flag read from the environment, too: "GRPC_" and "policy" make GRPC_POLICY.
/// @param prefix empty: it is not.
inline CLI::Option* also_from(const std::string& prefix, CLI::Option* option, std::string name) {
  if (prefix.empty()) return option;
  std::ranges::transform(name, name.begin(),
                         [](unsigned char letter) { return std::toupper(letter); });
  return option->envname(prefix + name);
}

/// Adds --policy, and those of the options (`ChannelOptions::each`) that are named: their help and
/// their defaults are the options' own.
///
/// @param environment as `also_from` has it.
inline void add_channel_flags(CLI::App& app, ChannelOptions& options,
                              const std::string& environment,
                              std::initializer_list<std::string_view> named) {
  also_from(environment, app.add_option("--policy", options.policy.policy, policy_names()),
            "policy")
      ->capture_default_str();
  ChannelOptions::each(
      options, [&]<class Value>(const std::string& name, Value& value, const std::string& help) {
        if (std::ranges::find(named, name) == named.end()) return;
        std::string flag = "--" + name;
        std::ranges::replace(flag, '_', '-');
        if constexpr (std::is_same_v<Value, Duration>) {
          also_from(environment, add_duration(app, flag, value, help), name);
        } else if constexpr (std::is_same_v<Value, bool>) {
          also_from(environment, app.add_flag(flag, value, help), name);
        } else {
          also_from(environment, app.add_option(flag, value, help), name);
        }
      });
}

}  // namespace greetlab
