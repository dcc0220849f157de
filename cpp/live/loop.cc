#include "live/loop.h"

#include <semaphore.h>

#include <algorithm>
#include <utility>

namespace greetlab {
namespace {

// A caller that comes back within this time finds the loop unserved and need not push its thread
// aside, which takes 26 us.
constexpr std::chrono::milliseconds kGrace{1};

// How often that thread looks whether callers have stopped coming, at the least. For so long, and
// the grace, nobody may notice what happens on the network.
constexpr std::chrono::milliseconds kLook{8};

// Where one thread waits until another one has told it to go on. Not std::binary_semaphore:
// libstdc++ yields the processor four times before it waits, which 16 callers at once pay for
// dearly. Nor a condition variable: who is woken by it finds its lock taken by the one that wakes
// it.
class Signal {
 public:
  Signal() { sem_init(&semaphore_, 0, 0); }
  ~Signal() { sem_destroy(&semaphore_); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void tell() { sem_post(&semaphore_); }

  /// @param until by CLOCK_MONOTONIC.
  /// @return false: nobody has told by then, or a signal's handler has run on this thread.
  bool wait(Time until) {
    const auto count = until.time_since_epoch().count();
    const timespec limit{count / std::nano::den, count % std::nano::den};
    return sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &limit) == 0;
  }

 private:
  sem_t semaphore_;
};

}  // namespace

// A caller in `run`. The loop and the caller may part at any moment, so both go through the lock.
struct Loop::Waiter {
  Signal told;  // by the loop, once it is over
  std::mutex mutex;
  Task begin;
  Predicate done;
  bool began = false;
  bool over = false;  // done, or the caller has gone

  // On the loop.
  void start() {
    const std::lock_guard lock(mutex);
    if (over) return;
    began = true;
    begin();
  }
  // On the loop. @return whether there is nothing left to wait for.
  bool check() {
    {
      const std::lock_guard lock(mutex);
      if (over || !began || !done()) return over;
      over = true;
    }
    told.tell();  // who is told takes the lock
    return true;
  }
};

Loop::Loop() {
  thread_ = std::thread([this] { serve(); });
}

Loop::~Loop() {
  stop();
}

Time Loop::now() const {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(turns_mutex_);
    stopping_ = true;
    give_way_ = true;
    turn_free_.notify_all();
  }
  wake();
  thread_.join();
  // What was given up ends in the next turn, and lets go of its connection in the one after.
  for (int i = 0; i < 3; ++i) run_due();
}

// --- Posts ---------------------------------------------------------------------------------------

void Loop::post(Task task) {
  const std::lock_guard lock(posts_mutex_);
  posts_.push_back(std::move(task));
  has_posts_ = true;
  // Who serves looks at `has_posts_` once it has said that it waits, and need not be woken before.
  if (!waits_ || woken_) return;
  woken_ = true;
  poller_.wake();
}

void Loop::wake() {
  post([] {});
}

// --- Who serves ----------------------------------------------------------------------------------

// The loop's own thread: serves whenever no caller does.
void Loop::serve() {
  std::unique_lock lock(turns_mutex_);
  std::chrono::milliseconds patience = kGrace;
  while (!stopping_) {
    if (driver_ != std::thread::id{} || wanted_) {
      // A caller that serves for a moment only does not tell us when it stops, for that would cost
      // it a system call a call.
      turn_free_.wait_for(lock, patience);
      patience = std::min(2 * patience, kLook);
      continue;
    }
    patience = kGrace;
    if (const Time grace = left_at_ + kGrace; inside_ == 0 && now() < grace) {
      turn_free_.wait_for(lock, grace - now());
      continue;
    }
    driver_ = std::this_thread::get_id();
    give_way_ = false;
    lock.unlock();
    do {
      turn(kNever);
    } while (!give_way_);
    lock.lock();
    driver_ = std::thread::id{};
    turn_free_.notify_all();
  }
}

bool Loop::run(Task begin, Predicate done, const Interrupted& interrupted) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->begin = std::move(begin);
  waiter->done = std::move(done);
  bool drives = false;
  const Time came_at = now();
  const bool nested = driver_ == std::this_thread::get_id();  // a signal handler, between two turns
  if (!nested) {
    std::unique_lock lock(turns_mutex_);
    drives = ++inside_ == 1;
    if (drives) {
      wanted_ = true;
      if (driver_ != std::thread::id{}) {
        give_way_ = true;
        wake();
        turn_free_.wait(lock, [this] { return driver_ == std::thread::id{}; });
      }
      wanted_ = false;
      driver_ = std::this_thread::get_id();
    } else if (driver_ == std::thread::id{}) {
      turn_free_.notify_all();
    }
  }
  const bool finished =
      nested || drives ? drive(*waiter, interrupted) : follow(waiter, interrupted);
  if (!nested) {
    const std::lock_guard lock(turns_mutex_);
    --inside_;
    if (drives) {
      driver_ = std::thread::id{};
      left_at_ = now();
      // Others wait for the loop's own thread, or it has been away for long.
      if (inside_ > 0 || left_at_ - came_at > kGrace) turn_free_.notify_all();
    }
  }
  return finished;
}

void Loop::run(Task task) {
  run(std::move(task), [] { return true; }, [] { return false; });
}

bool Loop::drive(Waiter& waiter, const Interrupted& interrupted) {
  run_posts();  // what was posted before we came happens before what we came for
  waiter.begin();
  Time attention = now() + kAttention;
  bool finished = true;
  while (!waiter.done()) {
    turn(attention);
    if (now() < attention) continue;
    attention = now() + kAttention;
    if (interrupted()) {
      finished = false;
      break;
    }
  }
  // There may have been no turn, and who serves next may not come at once, or wait for ever.
  end_turn();
  tell_waiters();
  return finished;
}

bool Loop::follow(const std::shared_ptr<Waiter>& waiter, const Interrupted& interrupted) {
  post([this, waiter] {
    waiter->start();
    waiters_.push_back(waiter);
  });
  while (!waiter->told.wait(now() + kAttention)) {
    if (!interrupted()) continue;
    const std::lock_guard lock(waiter->mutex);
    return std::exchange(waiter->over, true);
  }
  const std::lock_guard lock(waiter->mutex);
  return waiter->over;
}

// --- Serving -------------------------------------------------------------------------------------

// Waits for whatever comes first, at most until then, and sees to all that is there.
void Loop::turn(Time until) {
  end_turn();  // what was begun before it, too, is written before anybody waits
  waits_ = true;
  const Time now_is = now();
  poller_.wait(now_is, has_posts_ ? now_is : std::min(until, timers_.next()));
  waits_ = false;
  run_posts();  // who posts before he does something to the network is heard before it
  poller_.tell();
  run_due();
  if (!waiters_.empty()) tell_waiters();
}

void Loop::run_due() {
  run_posts();
  const Time now_is = now();
  while (timers_.next() <= now_is) timers_.take()();
  end_turn();
}

void Loop::end_turn() {
  while (!turn_ends_.empty()) {
    ending_.swap(turn_ends_);
    for (const auto& who : ending_) who->on_turn_end();
    ending_.clear();
  }
}

void Loop::run_posts() {
  if (!has_posts_) return;
  {
    const std::lock_guard lock(posts_mutex_);
    running_posts_.swap(posts_);
    has_posts_ = false;
    woken_ = false;
  }
  for (Task& task : running_posts_) std::exchange(task, nullptr)();
  running_posts_.clear();
}

void Loop::tell_waiters() {
  std::erase_if(waiters_, [](const auto& waiter) { return waiter->check(); });
}

}  // namespace greetlab
