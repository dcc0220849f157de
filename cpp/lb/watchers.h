// Who wants to hear of something, while it is being told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace greetlab {

/// Told in the order in which they came. While they are told, any may go, others may come, and it
/// may begin anew: then those that have not heard yet hear the newer news only.
template <class Watcher>
class Watchers {
 public:
  void add(Watcher& watcher) { all_.push_back(&watcher); }

  void remove(Watcher& watcher) {
    const auto found = std::ranges::find(all_, &watcher);
    if (found == all_.end()) return;
    if (telling_) {
      *found = nullptr;  // `tell` is counting
    } else {
      all_.erase(found);
    }
  }

  bool empty() const { return all_.empty(); }

  /// Calls `tell(watcher)` for each. Whoever owns this must live until it returns.
  template <class Tell>
  void tell(Tell&& tell) {
    const std::size_t telling = ++told_;
    telling_ = true;
    for (std::size_t i = 0; i < all_.size() && told_ == telling; ++i) {
      if (all_[i] != nullptr) tell(*all_[i]);
    }
    telling_ = false;
    std::erase(all_, nullptr);
  }

 private:
  std::vector<Watcher*> all_;  // nullptr: went while we were telling
  std::size_t told_ = 0;
  bool telling_ = false;
};

}  // namespace greetlab
