// What a lesson can make a pod do: be slow, fail, at random but repeatably.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/rng.h"

namespace greetlab {

/// How long a greeting waits before it is answered: always `least`, or a uniform draw between the
/// two where `most` is above it.
struct Latency {
  std::chrono::nanoseconds least{0};
  std::chrono::nanoseconds most{0};
};

/// The injected latency and errors of one server. The setters may be called from any thread; the
/// draws belong to the thread that serves, and with the same seed come out the same.
class Behaviour {
 public:
  explicit Behaviour(std::uint64_t seed) : rng_(seed) {}

  void set_latency(Latency latency);
  /// @param rate the probability that a greeting fails, 0 to 1.
  void set_error_rate(double rate) { error_rate_.store(rate, std::memory_order_relaxed); }

  std::chrono::nanoseconds draw_latency();
  bool draw_error();

 private:
  std::atomic<std::int64_t> least_ns_{0};
  std::atomic<std::int64_t> most_ns_{0};
  std::atomic<double> error_rate_{0};
  Rng rng_;
};

}  // namespace greetlab
