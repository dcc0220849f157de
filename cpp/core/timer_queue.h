// Tasks that wait for their time: what every clock is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clock.h"

namespace greetlab {

/// Tasks in the order of their times; those for one moment in the order in which they were added.
/// A heap, so adding, cancelling and taking cost a logarithm, and no allocation once it has grown.
class TimerQueue {
 public:
  /// Never the same twice, as long as fewer than 2^32 tasks have used one place.
  using Id = std::uint64_t;

  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  /// What never ran is dropped, with all that it held.
  ~TimerQueue();

  Id add(Time when, Task task);
  /// Does nothing for a task that was taken.
  void cancel(Id id);

  /// When the first task is due; kNever if there is none.
  Time next() const { return heap_.empty() ? kNever : heap_.front().when; }
  /// The first task, which is no longer here then: it may cancel, or be destroyed with its timer.
  Task take() { return remove(0); }

 private:
  // The heap holds the order, the slots hold the tasks. A slot is used again with another
  // generation, so that an old id means nothing any more.
  struct Entry {
    Time when;
    std::uint64_t order;
    std::uint32_t slot;
  };
  struct Slot {
    Task task;
    std::uint32_t generation = 0;
    std::uint32_t heap_index = 0;
  };

  static bool before(const Entry& a, const Entry& b) {
    return a.when != b.when ? a.when < b.when : a.order < b.order;
  }
  void place(std::size_t index, Entry entry);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  Task remove(std::size_t index);

  std::uint64_t order_ = 0;
  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace greetlab
