// Time that passes only when somebody lets it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clock.h"

namespace greetlab {

/// A clock that stands still while anything happens and then jumps to whatever is next. Tasks for
/// one moment run in the order in which they were asked for, so a run is the same every time.
class VirtualClock final : public Clock {
 public:
  VirtualClock() = default;
  /// What never ran is dropped, with all that it held.
  ~VirtualClock() override;

  Time now() const override { return now_; }

  /// Jumps to the next task and runs it.
  /// @return false if there is none.
  bool step();

  /// Runs everything up to `until`, that moment included, and stops there.
  void run_until(Time until);

  /// When the next task is; kNever if there is none.
  Time next() const { return heap_.empty() ? kNever : heap_.front().when; }

  /// How many tasks it has run.
  std::uint64_t steps() const { return steps_; }

 protected:
  TimerId start(Time when, Task task) override;
  void cancel(TimerId id) override;

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

  Time now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace greetlab
