// greet-server's command line and environment.
#pragma once

#include <chrono>

#include "greet/server.h"

namespace CLI {
class App;
}

namespace greetlab {

struct GreetServerFlags {
  GreetServerOptions server;
  /// After SIGTERM, how long calls may go on.
  std::chrono::milliseconds grace{5000};
  /// A descriptor whose end means that the parent is gone; -1: none.
  int lifeline = -1;
};

/// Tells CLI11 the flags. @param flags is filled when `app` parses, and outlives that.
void declare(CLI::App& app, GreetServerFlags& flags);

}  // namespace greetlab
