// What both engines are asked to do, and how their waits end.
#pragma once

#include <cstdint>
#include <string>

#include "load/load.h"

namespace greetlab {

/// Whom to greet, how often, how many at a time.
struct GreetLoad {
  std::string first_name;
  std::string last_name;
  LoadConfig config;
  /// Keep the words of each greeting, too.
  bool keep_results = false;

  /// An empty log for it.
  CallLog make_log() const {
    CallLog log(config.calls);
    if (keep_results) log.keep_results();
    return log;
  }
};

enum class WaitResult : std::uint8_t { ready, timeout, closed, interrupted };

}  // namespace greetlab
