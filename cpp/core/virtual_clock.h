// Time that passes only when somebody lets it.
#pragma once

#include <cstdint>

#include "core/clock.h"
#include "core/timer_queue.h"

namespace greetlab {

/// A clock that stands still while anything happens and then jumps to whatever is next. Tasks for
/// one moment run in the order in which they were asked for, so a run is the same every time.
class VirtualClock final : public Clock {
 public:
  Time now() const override { return now_; }

  /// Jumps to the next task and runs it.
  /// @return false if there is none.
  bool step();

  /// Runs everything up to `until`, that moment included, and stops there.
  void run_until(Time until);

  /// When the next task is; kNever if there is none.
  Time next() const { return timers_.next(); }

  /// How many tasks it has run.
  std::uint64_t steps() const { return steps_; }

 protected:
  TimerId start(Time when, Task task) override;
  void cancel(TimerId id) override;

 private:
  Time now_{};
  std::uint64_t steps_ = 0;
  TimerQueue timers_;
};

}  // namespace greetlab
