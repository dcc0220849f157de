// greet-server tell: changes a server that runs, from beside it. In a pod without a shell it is
// what `kubectl exec` has to run.
#pragma once

#include <optional>
#include <string>

#include "core/distribution.h"
#include "core/failing.h"

namespace CLI {
class App;
}

namespace greetlab {

struct TellFlags {
  std::string control;
  std::optional<Distribution> latency;
  Failing failing;
  bool fails = false;  ///< `failing` is said.
  std::optional<bool> serving;
};

/// Adds the command to greet-server's own. @param flags is filled when `app` parses, and outlives
/// that.
/// @return whether it was given, once `app` has parsed.
CLI::App* declare_tell(CLI::App& app, TellFlags& flags);

/// @return the exit status: 1 if the server could not be told, which is said on standard error.
int tell(const TellFlags& flags);

}  // namespace greetlab
