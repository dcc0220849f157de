// A trace as Python holds it: events and words that live in a world, or were read from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "trace/replay.h"
#include "trace/trace.h"

namespace greetlab {

class TraceHandle : public std::enable_shared_from_this<TraceHandle> {
 public:
  virtual ~TraceHandle() = default;

  /// What is there by now; it only grows, and never moves.
  virtual std::span<const Event> events() const = 0;
  virtual const Symbols& symbols() const = 0;
  virtual std::uint64_t dropped() const = 0;
  /// "SIM", "BENCH", "LOCAL", "KUBE": where it comes from.
  virtual std::string world() const = 0;

  /// What its events add up to, all that are there by now. One thread at a time: Python's lock.
  const Replay& replay() const {
    const auto all = events();
    while (static_cast<std::size_t>(replay_.events()) < all.size()) {
      replay_.apply(all[static_cast<std::size_t>(replay_.events())]);
    }
    return replay_;
  }

  /// A replay of all of it and perhaps of more: good for names.
  virtual const Replay& names() const { return replay(); }

  /// As it is now: the events that come later are not in there.
  std::shared_ptr<TraceHandle> now();

 private:
  mutable Replay replay_;
};

/// A trace up to some event, which is still going on or not.
class TraceUntil final : public TraceHandle {
 public:
  explicit TraceUntil(std::shared_ptr<TraceHandle> whole)
      : whole_(std::move(whole)), size_(whole_->events().size()), dropped_(whole_->dropped()) {}

  std::span<const Event> events() const override { return whole_->events().first(size_); }
  const Symbols& symbols() const override { return whole_->symbols(); }
  std::uint64_t dropped() const override { return dropped_; }
  std::string world() const override { return whole_->world(); }
  const Replay& names() const override { return whole_->names(); }

 private:
  const std::shared_ptr<TraceHandle> whole_;
  const std::size_t size_;
  const std::uint64_t dropped_;
};

inline std::shared_ptr<TraceHandle> TraceHandle::now() {
  return std::make_shared<TraceUntil>(shared_from_this());
}

}  // namespace greetlab
