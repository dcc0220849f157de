// How a pod serves its calls, in the sim and for real. Each of these options, its default and its
// help stand here and nowhere else: greet-server and both kinds of cluster have them from here.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/distribution.h"

namespace greetlab {

/// What a pod says with RESOURCE_EXHAUSTED.
inline constexpr const char* kQueueFull = "the pod's queue is full";

struct PodOptions {
  std::optional<std::uint32_t> capacity;
  std::optional<std::uint32_t> queue;
  Distribution service_time;
  bool load_reports = false;

  /// Calls `f(name, member, help)` for each.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f("capacity", self.capacity,
      "how many calls a pod serves at a time; more of them wait in its queue, first come, first "
      "served; none: any number");
    f("queue", self.queue,
      "how many calls wait in a pod's queue; it refuses more of them at once "
      "(RESOURCE_EXHAUSTED); none: any number");
    f("service_time", self.service_time,
      "how long a pod serves a call: 20ms, 5ms..20ms (uniform), exponential 20ms");
    f("load_reports", self.load_reports,
      "pods report their load (ORCA): at the end of each call (gRFC A51), and to whoever asks for "
      "it by the stream xds.service.orca.v3.OpenRcaService");
  }

  /// @throws std::invalid_argument for what makes no sense, in words.
  void check() const {
    if (capacity == 0u) {
      throw std::invalid_argument("capacity 0: a pod that serves nobody; 1 at least");
    }
    if (queue && !capacity) {
      throw std::invalid_argument("queue " + std::to_string(*queue) +
                                  ": only a pod with a capacity has a queue; give that, too");
    }
  }
};

}  // namespace greetlab
