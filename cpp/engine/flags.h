// Which engine a program's command line, and its environment, ask for.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "channel/flags.h"
#include "engine/engine.h"

namespace greetlab {

struct EngineFlags {
  std::string engine{engines().front().name};
  ChannelOptions options;
};

/// Adds --engine, and what `add_channel_flags` adds.
inline void add_engine_flags(CLI::App& app, EngineFlags& flags, const std::string& environment,
                             std::initializer_list<std::string_view> named) {
  std::string which;
  std::vector<std::string> names;
  for (const Engine& one : engines()) {
    which += (which.empty() ? "" : "; ") + std::string(one.name) + ": " + std::string(one.help);
    names.emplace_back(one.name);
  }
  also_from(environment, app.add_option("--engine", flags.engine, which), "engine")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  add_channel_flags(app, flags.options, environment, named);
}

}  // namespace greetlab
