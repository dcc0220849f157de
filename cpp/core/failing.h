// How a pod is made to fail.
#pragma once

#include <optional>

#include "core/rng.h"
#include "core/status.h"
#include "core/time.h"

namespace greetlab {

/// This share of a pod's calls fails, so. In both worlds, so that a retry meets the same in each.
struct Failing {
  double rate = 0;  ///< 0 to 1.
  Code code = Code::unavailable;
  /// When it would be asked again (gRFC A6, `grpc-retry-pushback-ms`: whole milliseconds); less
  /// than 0: never. None: it does not say.
  std::optional<Duration> pushback = std::nullopt;

  bool draw(Rng& rng) const { return rate > 0 && rng.uniform() < rate; }
  Status status() const { return {code, "injected error"}; }
};

}  // namespace greetlab
