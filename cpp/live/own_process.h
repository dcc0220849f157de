// gRPC does not survive os.fork: its threads stay with the parent, its locks come along as they
// are.
#pragma once

#include <unistd.h>

#include <stdexcept>

namespace greetlab {

/// To be called before gRPC is used. The process that does so first may go on; a child forked from
/// it later would hang.
///
/// @throws std::runtime_error in such a child.
inline void require_own_process() {
  static const pid_t owner = getpid();
  if (getpid() == owner) return;
  throw std::runtime_error(
      "gRPC was used before this process was forked, and cannot be used on this side of the fork: "
      "start the process with subprocess, or with multiprocessing's 'spawn' or 'forkserver' "
      "method");
}

}  // namespace greetlab
