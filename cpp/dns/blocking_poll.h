// A clock and descriptors for one caller who waits: what the loop is to the live world.
#pragma once

#include <poll.h>

#include <vector>

#include "core/clock.h"
#include "core/descriptors.h"
#include "core/timer_queue.h"

namespace greetlab {

/// poll(2) over a few descriptors, served by whoever waits. Of one thread at a time.
class BlockingPoll final : public Clock, public Descriptors {
 public:
  /// CLOCK_MONOTONIC.
  Time now() const override;

  int watch(int fd, std::uint32_t events, Source& source) override;
  void change(int fd, std::uint32_t events, Source& source) override;
  void forget(int fd, const Source& source) override;

  /// Waits until there is something, and sees to it.
  ///
  /// @return whether there was anything: false if `at_most` passed first, or a signal came.
  bool run_once(Duration at_most = Duration::max());

 protected:
  TimerId start(Time when, Task task) override { return timers_.add(when, std::move(task)); }
  void cancel(TimerId id) override { timers_.cancel(id); }

 private:
  bool run_due();

  TimerQueue timers_;
  std::vector<pollfd> watched_;
  std::vector<Source*> sources_;  // of those
  std::vector<pollfd> polled_;    // a copy of watched_, which changes while we see to them
};

}  // namespace greetlab
