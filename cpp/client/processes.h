// One load in several processes at once: more cores than one.
#pragma once

#include <functional>

#include "core/call_log.h"
#include "core/interrupted.h"

namespace greetlab {

/// Does `work(0)`, `work(1)`, ... each in a process of its own, and gives all their calls in the
/// order in which they were started. To be called before any channel is made, and any thread.
///
/// Not in threads: clients in processes of their own share nothing, as those of different machines
/// do not.
///
/// @param stopped asked now and then; once true, each process is sent SIGTERM, of which `work` has
///        to make the best.
/// @throws std::system_error if the kernel gives no process, std::runtime_error if one of them
///         ends without its calls.
CallLog in_processes(std::size_t count, const std::function<CallLog(std::size_t)>& work,
                     const Interrupted& stopped);

}  // namespace greetlab
