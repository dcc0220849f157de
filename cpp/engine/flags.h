// The channel that a program's command line, and its environment, ask for.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "engine/engine.h"
#include "flags/parsed_option.h"
#include "lb/policies/registry.h"

namespace greetlab {

struct ChannelFlags {
  std::string engine{engines().front().name};
  ChannelOptions options;
};

/// Adds --engine, --policy, and those of the options (`ChannelOptions::each`) that are named: their
/// help and their defaults are the options' own.
///
/// @param environment "GRPC_": each is read from there, too, as GRPC_POLICY; empty: none is.
inline void add_channel_flags(CLI::App& app, ChannelFlags& flags, const std::string& environment,
                              std::initializer_list<std::string_view> named) {
  const auto also_from = [&](CLI::Option* option, std::string name) {
    if (environment.empty()) return option;
    std::ranges::transform(name, name.begin(),
                           [](unsigned char letter) { return std::toupper(letter); });
    return option->envname(environment + name);
  };
  std::string which;
  std::vector<std::string> names;
  for (const Engine& one : engines()) {
    which += (which.empty() ? "" : "; ") + std::string(one.name) + ": " + std::string(one.help);
    names.emplace_back(one.name);
  }
  also_from(app.add_option("--policy", flags.options.policy.policy, policy_names()), "policy")
      ->capture_default_str();
  also_from(app.add_option("--engine", flags.engine, which), "engine")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  ChannelOptions::each(flags.options, [&]<class Value>(const std::string& name, Value& value,
                                                       const std::string& help) {
    if (std::ranges::find(named, name) == named.end()) return;
    std::string flag = "--" + name;
    std::ranges::replace(flag, '_', '-');
    if constexpr (std::is_same_v<Value, Duration>) {
      also_from(add_duration(app, flag, value, help), name);
    } else if constexpr (std::is_same_v<Value, bool>) {
      also_from(app.add_flag(flag, value, help), name);
    } else {
      also_from(app.add_option(flag, value, help), name);
    }
  });
}

}  // namespace greetlab
