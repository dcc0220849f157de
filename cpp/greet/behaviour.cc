#include "greet/behaviour.h"

namespace greetlab {

void Behaviour::set_latency(Latency latency) {
  least_ns_.store(latency.least.count(), std::memory_order_relaxed);
  most_ns_.store(latency.most.count(), std::memory_order_relaxed);
}

std::chrono::nanoseconds Behaviour::draw_latency() {
  const std::int64_t least = least_ns_.load(std::memory_order_relaxed);
  const std::int64_t most = most_ns_.load(std::memory_order_relaxed);
  if (most <= least) return std::chrono::nanoseconds(least);
  const auto spread = static_cast<std::uint64_t>(most - least);
  return std::chrono::nanoseconds(least + static_cast<std::int64_t>(rng_.below(spread)));
}

bool Behaviour::draw_error() {
  const double rate = error_rate_.load(std::memory_order_relaxed);
  return rate > 0 && rng_.uniform() < rate;
}

}  // namespace greetlab
