#include "core/virtual_clock.h"

#include <algorithm>
#include <utility>

namespace greetlab {

bool VirtualClock::step() {
  if (timers_.next() == kNever) return false;
  now_ = std::max(now_, timers_.next());
  ++steps_;
  const Task task = timers_.take();
  task();
  return true;
}

void VirtualClock::run_until(Time until) {
  while (next() <= until && step()) {
  }
  now_ = std::max(now_, until);
}

Clock::TimerId VirtualClock::start(Time when, Task task) {
  return timers_.add(std::max(when, now_), std::move(task));
}

void VirtualClock::cancel(TimerId id) {
  timers_.cancel(id);
}

}  // namespace greetlab
