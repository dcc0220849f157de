// A trace as Python holds it: events and words that live in a world, or were read from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "trace/replay.h"
#include "trace/trace.h"

namespace greetlab {

class TraceHandle {
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

 private:
  mutable Replay replay_;
};

}  // namespace greetlab
