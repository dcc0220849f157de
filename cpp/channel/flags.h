// The channel that a program's command line, and its environment, ask for.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/service_config.h"
#include "core/text_file.h"
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

/// Adds --service-config. What it warns of is said on standard error.
/// @param policy --policy, which may say the same and nothing else.
inline void add_service_config_flag(CLI::App& app, ChannelOptions& options,
                                    const std::string& environment, const CLI::Option* policy) {
  const auto warnings = std::make_shared<std::vector<Remark>>();
  const auto parse = [warnings](const std::string& text) {
    if (!text.starts_with('@')) return require_service_config(text, warnings.get());
    try {
      return require_service_config(read_text_file(text.substr(1)), warnings.get());
    } catch (const std::runtime_error& error) {
      throw std::invalid_argument(error.what());
    }
  };
  const auto store = [&options](std::shared_ptr<const ServiceConfig> config) {
    options.service_config = std::move(config);
  };
  also_from(
      environment,
      add_parsed(app, "--service-config",
                 "a service config (grpc/grpc doc/service_config.md): its JSON text, or @ and "
                 "the name of the file that has it; `greetlab config` says what one means",
                 parse, store)
          ->type_name("TEXT|@FILE"),
      "service_config");
  app.final_callback([&app, &options, policy, warnings] {
    for (const Remark& warning : *warnings) {
      std::cerr << app.get_name() << ": service config: " << to_string(warning) << std::endl;
    }
    if (options.service_config == nullptr || !options.service_config->policy) return;
    const std::string& named = options.service_config->policy->policy;
    if (policy->count() > 0 && options.policy.policy != named) {
      throw CLI::ValidationError(
          "--policy",
          options.policy.policy + ": the --service-config says " + named + "; give one of the two");
    }
    options.policy = *options.service_config->policy;
  });
}

/// Adds --policy, --service-config, and those of the options (`ChannelOptions::each`) that are
/// named: their help and their defaults are the options' own.
///
/// @param environment as `also_from` has it.
inline void add_channel_flags(CLI::App& app, ChannelOptions& options,
                              const std::string& environment,
                              std::initializer_list<std::string_view> named) {
  const CLI::Option* policy =
      also_from(environment, app.add_option("--policy", options.policy.policy, policy_names()),
                "policy")
          ->capture_default_str();
  add_service_config_flag(app, options, environment, policy);
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
