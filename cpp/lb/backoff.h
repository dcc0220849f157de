// How long to wait before trying again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/rng.h"
#include "core/time.h"

namespace greetlab {

/// grpc/grpc doc/connection-backoff.md: 1 s, then 1.6 times more each time, 120 s at most, each
/// drawn from +-20 %, so that clients which failed together do not come back together.
class Backoff {
 public:
  static constexpr Duration kInitial = std::chrono::seconds(1);
  static constexpr Duration kMax = std::chrono::seconds(120);

  explicit Backoff(Duration max = kMax) : max_(max) {}

  /// The next wait. gRPC's C-core left the first one without jitter up to 1.51 (`backoff.cc`); the
  /// text asks for it.
  Duration next(Rng& rng) {
    const Duration wait = current_;
    current_ = std::min(max_, current_ * 8 / 5);
    // In integers, so that it is the same on every machine: 80 %, and up to 40 % more.
    const auto spread = static_cast<std::uint64_t>((wait * 2 / 5).count());
    return wait * 4 / 5 + Duration(static_cast<std::int64_t>(rng.below(spread + 1)));
  }

  /// After a success the next wait is the first again.
  void reset() { current_ = kInitial; }

 private:
  Duration max_;
  Duration current_ = kInitial;
};

}  // namespace greetlab
