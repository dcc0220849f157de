// What a lesson can make a pod do: be slow, fail, at random but repeatably.
#pragma once

#include <cstdint>

#include "core/distribution.h"
#include "core/failing.h"
#include "core/rng.h"

namespace greetlab {

/// How long one server takes for its calls, and which of them fail. All of it belongs to the thread
/// that serves; with the same seed the draws come out the same.
class Behaviour {
 public:
  /// @param service_time of a greeting, unless it is slowed.
  Behaviour(std::uint64_t seed, const Distribution& service_time)
      : service_time_(service_time), rng_(seed) {}

  /// Greetings take this much longer from now on.
  void set_latency(const Distribution& longer) { longer_ = longer; }
  void set_failing(const Failing& failing) { failing_ = failing; }
  const Failing& failing() const { return failing_; }

  Duration draw_service_time() { return service_time_.draw(rng_) + longer_.draw(rng_); }
  bool draw_error() { return failing_.draw(rng_); }

 private:
  const Distribution service_time_;
  Distribution longer_;
  Failing failing_;
  Rng rng_;
};

}  // namespace greetlab
