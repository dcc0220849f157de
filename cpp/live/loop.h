// The live world's event loop and clock: epoll.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/interrupted.h"
#include "core/timer_queue.h"
#include "live/poller.h"

namespace greetlab {

/// Descriptors, timers and posted tasks, one after the other: what the pure core calls its clock's
/// thread. None of them may throw: there is nobody who could catch it.
///
/// That is not always the same thread. A thread of the loop's own serves it while nobody waits; a
/// caller that waits for something (`run`) takes its place and serves the loop itself until that
/// has happened. To hand a call to another thread and its answer back would cost as much as the
/// call: 26 us each way, measured. The two take turns under one lock, so no two ever serve at once.
class Loop final : public Clock {
 public:
  /// What is done once a turn, after all that the turn has found: to write what has gathered.
  class TurnEnd {
   public:
    virtual ~TurnEnd() = default;
    virtual void on_turn_end() = 0;
  };
  using Predicate = std::function<bool()>;

  /// @throws std::system_error if the kernel has no descriptors left.
  Loop();
  /// Stops. What was posted and has not run, and timers, are dropped.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// CLOCK_MONOTONIC.
  Time now() const override;

  /// For what is made and freed again and again, from the loop only.
  std::pmr::memory_resource& memory() { return memory_; }

  /// To wait for descriptors with, from the loop only.
  Poller& poller() { return poller_; }

  /// Tells `who` at the end of this turn. From the loop only.
  void at_turn_end(std::shared_ptr<TurnEnd> who) { turn_ends_.push_back(std::move(who)); }

  /// Runs `task` on the loop, soon. From any thread. Once the loop has stopped: never.
  void post(Task task);

  /// Runs `begin` on the loop, then waits until `done()`, which is asked on the loop.
  ///
  /// From any thread; also from within `interrupted` (a signal handler that runs there).
  /// @param interrupted asked at least every `kAttention`, on the caller's thread.
  /// @return false: interrupted. `begin` may not have run then, and never will.
  bool run(Task begin, Predicate done, const Interrupted& interrupted);

  /// Runs `task` on the loop and waits for it.
  void run(Task task);

  /// Runs what is due, and what follows from it at once; from then on nothing runs any more. Nobody
  /// is in `run`, and nobody may call it again. Stopping twice is fine.
  void stop();

 protected:
  TimerId start(Time when, Task task) override { return timers_.add(when, std::move(task)); }
  void cancel(TimerId id) override { timers_.cancel(id); }

 private:
  struct Waiter;

  void serve();
  bool drive(Waiter& waiter, const Interrupted& interrupted);
  bool follow(const std::shared_ptr<Waiter>& waiter, const Interrupted& interrupted);
  void turn(Time until);
  void run_posts();
  void run_due();
  void end_turn();
  void tell_waiters();
  void wake();

  std::pmr::unsynchronized_pool_resource memory_{{0, 512}};  // larger pieces are malloc's
  Poller poller_;
  TimerQueue timers_;
  std::vector<std::shared_ptr<TurnEnd>> turn_ends_;
  std::vector<std::shared_ptr<TurnEnd>> ending_;  // of this turn; kept for its memory
  std::vector<std::shared_ptr<Waiter>> waiters_;  // whose `done` is asked after every turn

  std::mutex posts_mutex_;
  std::vector<Task> posts_;
  std::vector<Task> running_posts_;  // of this turn; kept for its memory
  std::atomic<bool> has_posts_{false};
  std::atomic<bool> waits_{false};  // who serves is about to wait, or waits
  bool woken_ = false;              // and has been told not to

  std::mutex turns_mutex_;  // of everything below: who serves?
  std::condition_variable turn_free_;
  std::atomic<std::thread::id> driver_{};  // none: nobody serves
  std::atomic<bool> give_way_{false};      // the loop's own thread is asked to stop serving
  int inside_ = 0;                         // callers in `run`
  bool wanted_ = false;                    // one of them wants to serve
  bool stopping_ = false;
  Time left_at_{};  // when a caller last stopped serving
  std::thread thread_;
};

}  // namespace greetlab
