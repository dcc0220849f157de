// What greet-client says of its calls.
#pragma once

#include <string>

#include "core/call_log.h"

namespace greetlab {

/// For people: a line of how many, how they ended and how fast; one for each pod; and each
/// different error.
std::string report(const CallLog& log);

}  // namespace greetlab
