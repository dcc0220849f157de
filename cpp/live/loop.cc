#include "live/loop.h"

#include <semaphore.h>

#include <algorithm>
#include <array>
#include <utility>

#include "rpc/timespec.h"

namespace greetlab {
namespace {

// How many completions are taken off the queue before any is handled: gRPC then reads and writes
// several at once, which takes 10 to 35 % off p99.
constexpr std::size_t kBatch = 64;

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

// Makes a queue that somebody waits on return. 0.4 us, where an eventfd would need a thread.
class Loop::Alarm final : public Loop::Tag {
 public:
  explicit Alarm(Loop& loop) : loop_(loop) {}

  void set() { alarm_.Set(&loop_.queue_, gpr_inf_past(GPR_CLOCK_MONOTONIC), this); }

  void proceed(bool) override {
    const std::lock_guard lock(loop_.posts_mutex_);
    loop_.woken_ = false;
  }

 private:
  Loop& loop_;
  grpc::Alarm alarm_;
};

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
    const std::lock_guard lock(mutex);
    if (!over && began && done()) {
      over = true;
      told.tell();
    }
    return over;
  }
};

Loop::Loop() : alarm_(std::make_unique<Alarm>(*this)) {
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
    const std::lock_guard lock(wheel_mutex_);
    stopping_ = true;
    give_way_ = true;
    wheel_free_.notify_all();
  }
  wake();
  thread_.join();
  {
    const std::lock_guard lock(posts_mutex_);
    closed_ = true;
  }
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->proceed(ok);
}

// --- Posts ---------------------------------------------------------------------------------------

void Loop::post(Task task) {
  const std::lock_guard lock(posts_mutex_);
  posts_.push_back(std::move(task));
  has_posts_ = true;
  // Who serves looks at `has_posts_` once it has said that it waits, and need not be woken before.
  if (!waits_ || woken_ || closed_) return;
  woken_ = true;
  alarm_->set();
}

void Loop::wake() {
  post([] {});
}

// --- Who serves ----------------------------------------------------------------------------------

// The loop's own thread: serves whenever no caller does.
void Loop::serve() {
  std::unique_lock lock(wheel_mutex_);
  std::chrono::milliseconds patience = kGrace;
  while (!stopping_) {
    if (driver_ != std::thread::id{} || wanted_) {
      // A caller that serves for a moment only does not tell us when it stops, for that would cost
      // it a system call a call.
      wheel_free_.wait_for(lock, patience);
      patience = std::min(2 * patience, kLook);
      continue;
    }
    patience = kGrace;
    if (const Time grace = left_at_ + kGrace; inside_ == 0 && now() < grace) {
      wheel_free_.wait_for(lock, grace - now());
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
    wheel_free_.notify_all();
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
    std::unique_lock lock(wheel_mutex_);
    drives = ++inside_ == 1;
    if (drives) {
      wanted_ = true;
      if (driver_ != std::thread::id{}) {
        give_way_ = true;
        wake();
        wheel_free_.wait(lock, [this] { return driver_ == std::thread::id{}; });
      }
      wanted_ = false;
      driver_ = std::this_thread::get_id();
    } else if (driver_ == std::thread::id{}) {
      wheel_free_.notify_all();
    }
  }
  const bool finished =
      nested || drives ? drive(*waiter, interrupted) : follow(waiter, interrupted);
  if (!nested) {
    const std::lock_guard lock(wheel_mutex_);
    --inside_;
    if (drives) {
      driver_ = std::thread::id{};
      left_at_ = now();
      // Others wait for the loop's own thread, or it has been away for long.
      if (inside_ > 0 || left_at_ - came_at > kGrace) wheel_free_.notify_all();
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
  while (!waiter.done()) {
    turn(attention);
    if (now() < attention) continue;
    attention = now() + kAttention;
    if (interrupted()) return false;
  }
  return true;
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
  return true;
}

// --- Serving -------------------------------------------------------------------------------------

// Waits for whatever comes first, at most until then, and sees to all that is there.
void Loop::turn(Time until) {
  waits_ = true;
  gpr_timespec wait =
      has_posts_ ? gpr_inf_past(GPR_CLOCK_MONOTONIC) : to_timespec(std::min(until, timers_.next()));
  std::array<std::pair<Tag*, bool>, kBatch> finished;
  std::size_t count = 0;
  void* tag = nullptr;
  bool ok = false;
  while (count < kBatch && queue_.AsyncNext(&tag, &ok, wait) == grpc::CompletionQueue::GOT_EVENT) {
    finished[count++] = {static_cast<Tag*>(tag), ok};
    waits_ = false;
    wait = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  }
  waits_ = false;
  for (std::size_t i = 0; i < count; ++i) finished[i].first->proceed(finished[i].second);

  run_posts();
  const Time now_is = now();
  while (timers_.next() <= now_is) timers_.take()();
  if (!waiters_.empty()) tell_waiters();
}

void Loop::run_posts() {
  if (!has_posts_) return;
  {
    const std::lock_guard lock(posts_mutex_);
    running_posts_.swap(posts_);
    has_posts_ = false;
  }
  for (Task& task : running_posts_) std::exchange(task, nullptr)();
  running_posts_.clear();
}

void Loop::tell_waiters() {
  std::erase_if(waiters_, [](const auto& waiter) { return waiter->check(); });
}

}  // namespace greetlab
