// How whoever waits can be told to give up.
#pragma once

#include <chrono>
#include <functional>

namespace greetlab {

/// Asked now and then, at least every `kAttention`, by a wait that may take long; true = give up.
/// This is how Ctrl-C reaches a loop that holds no Python lock.
using Interrupted = std::function<bool()>;

/// How long Ctrl-C may go unnoticed.
constexpr std::chrono::milliseconds kAttention{20};

}  // namespace greetlab
