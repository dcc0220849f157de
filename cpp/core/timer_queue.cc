#include "core/timer_queue.h"

#include <utility>

namespace greetlab {

TimerQueue::~TimerQueue() {
  // A dropped task may hold the last reference to something with a timer of its own, which it
  // cancels: by then there is nothing to cancel.
  const std::vector<Slot> dropped = std::exchange(slots_, {});
  heap_.clear();
}

TimerQueue::Id TimerQueue::add(Time when, Task task) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot].task = std::move(task);
  heap_.push_back({});
  place(heap_.size() - 1, {when, ++order_, slot});
  sift_up(heap_.size() - 1);
  return (Id{slots_[slot].generation} << 32) | slot;
}

void TimerQueue::cancel(Id id) {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= slots_.size()) return;  // we are being destroyed
  const Slot& slot = slots_[index];
  if (slot.generation == static_cast<std::uint32_t>(id >> 32)) remove(slot.heap_index);
}

void TimerQueue::place(std::size_t index, Entry entry) {
  heap_[index] = entry;
  slots_[entry.slot].heap_index = static_cast<std::uint32_t>(index);
}

void TimerQueue::sift_up(std::size_t index) {
  const Entry entry = heap_[index];
  while (index > 0 && before(entry, heap_[(index - 1) / 2])) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  place(index, entry);
}

void TimerQueue::sift_down(std::size_t index) {
  const Entry entry = heap_[index];
  for (std::size_t child = 2 * index + 1; child < heap_.size(); child = 2 * index + 1) {
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], entry)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

Task TimerQueue::remove(std::size_t index) {
  Slot& slot = slots_[heap_[index].slot];
  Task task = std::exchange(slot.task, nullptr);
  ++slot.generation;
  free_.push_back(heap_[index].slot);
  const Entry last = heap_.back();
  heap_.pop_back();
  if (index < heap_.size()) {
    place(index, last);
    sift_up(index);
    sift_down(slots_[last.slot].heap_index);
  }
  return task;
}

}  // namespace greetlab
