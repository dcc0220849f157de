// Channels do not survive os.fork, gRPC's no more than ours: their threads stay with the parent,
// their locks come along as they are.
#pragma once

#include <pthread.h>

#include <atomic>
#include <stdexcept>

namespace greetlab {

/// Whether this process was forked from one that had asked this before. Costs no system call.
inline bool in_forked_child() {
  static std::atomic<bool> is_child{false};
  [[maybe_unused]] static const int watched =
      pthread_atfork(nullptr, nullptr, [] { is_child = true; });
  return is_child;
}

/// To be called before a channel is used. The process that does so first may go on; a child forked
/// from it later would hang.
///
/// @throws std::runtime_error in such a child.
inline void require_own_process() {
  if (!in_forked_child()) return;
  throw std::runtime_error(
      "channels were used before this process was forked, and cannot be used on this side of it: "
      "start the process with subprocess, or with multiprocessing's 'spawn' or 'forkserver' "
      "method");
}

}  // namespace greetlab
