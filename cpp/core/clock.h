// The only now, the only later. Whoever needs time is handed a clock: a virtual one in the
// simulator, the loop's in the live world.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "core/time.h"

namespace greetlab {

using Task = std::function<void()>;

class Timer;

/// Everything that a clock runs, it runs on one thread, one task after the other. A clock must
/// outlive its timers, and must be used on its own thread only.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Time now() const = 0;

  /// Runs `task` at `when`, or as soon as the clock can where that is past, and never before this
  /// has returned. Tasks for one moment run in the order in which they were asked for. Destroying
  /// the timer takes the task back; a task may destroy its own timer.
  [[nodiscard]] Timer at(Time when, Task task);

 protected:
  friend class Timer;
  using TimerId = std::uint64_t;

  virtual TimerId start(Time when, Task task) = 0;
  /// Does nothing for a timer whose task has run.
  virtual void cancel(TimerId id) = 0;
};

/// A task that waits for its time. Owned by who wants it to happen.
class Timer {
 public:
  Timer() = default;
  Timer(Timer&& other) noexcept : clock_(std::exchange(other.clock_, nullptr)), id_(other.id_) {}
  Timer& operator=(Timer&& other) noexcept {
    cancel();
    clock_ = std::exchange(other.clock_, nullptr);
    id_ = other.id_;
    return *this;
  }
  ~Timer() { cancel(); }

  void cancel() {
    if (clock_) std::exchange(clock_, nullptr)->cancel(id_);
  }

 private:
  friend class Clock;
  Timer(Clock& clock, Clock::TimerId id) : clock_(&clock), id_(id) {}

  Clock* clock_ = nullptr;
  Clock::TimerId id_ = 0;
};

inline Timer Clock::at(Time when, Task task) {
  return Timer(*this, start(when, std::move(task)));
}

}  // namespace greetlab
