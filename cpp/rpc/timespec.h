// Our time as gRPC counts it.
#pragma once

#include <grpc/support/time.h>

#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace greetlab {

/// A moment of CLOCK_MONOTONIC, which is gRPC's GPR_CLOCK_MONOTONIC, too.
inline gpr_timespec to_timespec(Time time) {
  if (time == kNever) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  const auto since = time.time_since_epoch();
  const auto whole = std::chrono::floor<std::chrono::seconds>(since);
  return {whole.count(), static_cast<std::int32_t>((since - whole).count()), GPR_CLOCK_MONOTONIC};
}

}  // namespace greetlab
