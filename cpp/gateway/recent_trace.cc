#include "gateway/recent_trace.h"

#include <algorithm>

#include "channel/own_world.h"
#include "traceio/json_lines.h"

namespace greetlab {

void RecentTrace::add(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (ring_.size() < capacity_) {
    ring_.push_back(event);
  } else {
    ring_[added_ % capacity_] = event;
  }
  ++added_;
}

void RecentTrace::write(std::ostream& out, const Symbols& symbols) const {
  std::vector<Event> events;
  std::uint64_t gone = 0;
  {
    const std::lock_guard lock(mutex_);
    events = ring_;
    gone = added_ - ring_.size();
  }
  std::ranges::rotate(events, events.begin() + static_cast<std::ptrdiff_t>(gone % capacity_));
  write_trace(out, events, symbols, gone, own_world());
}

}  // namespace greetlab
