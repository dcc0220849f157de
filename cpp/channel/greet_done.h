// How somebody who does not wait hears of the end of a greeting.
#pragma once

#include <functional>

#include "core/status.h"
#include "greet.pb.h"

namespace greetlab {

/// Called once for each greeting. The response has something to say only where the status is OK,
/// and is there only meanwhile.
using GreetDone = std::function<void(const Status&, const greet::GreetingResponse&)>;

}  // namespace greetlab
