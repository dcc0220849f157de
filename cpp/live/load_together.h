// One load through several channels at once: more cores than one.
#pragma once

#include <atomic>
#include <future>
#include <memory>
#include <vector>

#include "core/interrupted.h"
#include "live/greet_load.h"

namespace greetlab {

/// Makes the calls of `load` through all of `channels` at once: each has its share of the calls and
/// of those in flight, and a thread of its own, which serves the channel's loop. The loops share
/// nothing, so each more of them uses one more core, if there is one.
///
/// @param load a closed loop; at least one call in flight for each channel.
/// @param interrupted as with a channel's own `run`, on the caller's thread.
/// @return the calls in the order in which they were started, whoever made them.
template <class AnyChannel>
CallLog load_together(const std::vector<std::shared_ptr<AnyChannel>>& channels,
                      const GreetLoad& load, const Interrupted& interrupted) {
  std::atomic<bool> given_up{false};
  std::vector<std::future<CallLog>> runs;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto share = [&](std::size_t all) {
      return all / channels.size() + (i < all % channels.size());
    };
    GreetLoad part = load;
    part.config.calls = share(load.config.calls);
    part.config.concurrency = share(load.config.concurrency);
    runs.push_back(std::async(std::launch::async, [&channel = *channels[i], part, &given_up] {
      return channel.run(part, [&given_up] { return given_up.load(); });
    }));
  }
  std::vector<CallLog> logs;
  for (auto& run : runs) {
    while (run.wait_for(kAttention) != std::future_status::ready) {
      if (interrupted()) given_up = true;
    }
    logs.push_back(run.get());
  }
  return CallLog::merged(logs);
}

}  // namespace greetlab
