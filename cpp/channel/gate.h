// Lets callers of a channel in, until somebody closes it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace greetlab {

/// Nobody may take a channel down while somebody is inside. Who closes it waits until all have
/// left; unless it is inside itself, for a signal handler runs on a thread that is: then the last
/// to leave takes it down.
class Gate {
 public:
  bool closed() const { return closed_; }

  /// @return false: closed. Nothing may be done then.
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    inside_.push_back(std::this_thread::get_id());
    return true;
  }

  /// @return true: it was closed meanwhile, and this was the last one inside.
  bool leave() {
    const std::lock_guard lock(mutex_);
    inside_.erase(std::ranges::find(inside_, std::this_thread::get_id()));
    left_.notify_all();
    return closed_ && inside_.empty();
  }

  /// Lets nobody in from now on.
  void close() { closed_ = true; }

  /// Waits until nobody is inside. @return false: the caller is; it will be the last to leave.
  bool wait_until_empty() {
    std::unique_lock lock(mutex_);
    if (std::ranges::count(inside_, std::this_thread::get_id()) > 0) return false;
    left_.wait(lock, [this] { return inside_.empty(); });
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  std::vector<std::thread::id> inside_;
  std::atomic<bool> closed_{false};
};

}  // namespace greetlab
