// How many calls each subchannel has, for policies that go by it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "lb/policy.h"
#include "lb/subchannel.h"

namespace greetlab {

/// The calls in flight on one subchannel. Each of them holds it, whatever becomes of the policy.
class InFlight final : public CallTracker {
 public:
  void on_done(const Outcome&) override { --calls; }

  std::uint32_t calls = 0;
};

/// The counts of the READY subchannels, from one picker to the next.
class InFlightCounts {
 public:
  /// One for each, in their order. A new picker goes on counting. Who was not READY in one of them
  /// has lost its connection, and with it its calls, and begins anew when it is READY again.
  std::vector<std::shared_ptr<InFlight>> of(const std::vector<Subchannel*>& ready) {
    std::map<SubchannelId, std::shared_ptr<InFlight>> kept;
    std::vector<std::shared_ptr<InFlight>> counts;
    for (const Subchannel* const subchannel : ready) {
      auto& count = kept[subchannel->id()];
      if (!count) count = std::move(counts_[subchannel->id()]);
      if (!count) count = std::make_shared<InFlight>();
      counts.push_back(count);
    }
    counts_ = std::move(kept);
    return counts;
  }

 private:
  std::map<SubchannelId, std::shared_ptr<InFlight>> counts_;
};

}  // namespace greetlab
