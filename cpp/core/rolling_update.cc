#include "core/rolling_update.h"

#include <algorithm>

namespace greetlab {

RollingStep next_step(const RollingUpdate& update, std::span<const RollingPod> pods) {
  RollingStep step;
  const auto count = [&](auto which) {
    return static_cast<std::uint32_t>(std::ranges::count_if(pods, which));
  };
  const auto all = static_cast<std::uint32_t>(pods.size());
  const std::uint32_t fresh = count(&RollingPod::is_new);
  // 1. New ones, as far as the surge has room for them.
  const std::uint32_t most = update.replicas + update.max_surge;
  const std::uint32_t missing = fresh < update.replicas ? update.replicas - fresh : 0;
  step.add = std::min(missing, most > all ? most - all : 0);
  // 2. Old ones, as long as enough are ready without them.
  std::uint32_t ready = count(&RollingPod::ready);
  const std::uint32_t least =
      update.replicas > update.max_unavailable ? update.replicas - update.max_unavailable : 0;
  for (const bool of_the_ready : {false, true}) {
    for (std::size_t i = 0; i < pods.size(); ++i) {
      if (pods[i].is_new || pods[i].ready != of_the_ready) continue;
      if (of_the_ready && ready <= least) continue;
      ready -= of_the_ready;
      step.drain.push_back(i);
    }
  }
  return step;
}

}  // namespace greetlab
