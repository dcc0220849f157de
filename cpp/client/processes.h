// One load in several processes at once: more cores than one.
#pragma once

#include <functional>

#include "core/call_log.h"
#include "core/interrupted.h"

namespace greetlab {

/// Does `work(0)`, `work(1)`, ... each in a process of its own, and gives all their calls in the
/// order in which they were started. To be called before gRPC is used, and before any thread.
///
/// Not in threads: gRPC 1.51 waits for all sockets of a process in one place (epoll1), so loops
/// that share a process hand one another what arrives. Two of them on two cores made 0.8 times the
/// calls of one.
///
/// @param stopped asked now and then; once true, each process is sent SIGTERM, of which `work` has
///        to make the best.
/// @throws std::system_error if the kernel gives no process, std::runtime_error if one of them
///         ends without its calls.
CallLog in_processes(std::size_t count, const std::function<CallLog(std::size_t)>& work,
                     const Interrupted& stopped);

}  // namespace greetlab
