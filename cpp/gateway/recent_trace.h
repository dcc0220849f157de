// The last events of a trace that never ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <vector>

#include "trace/trace.h"

namespace greetlab {

/// Keeps the newest events, 56 bytes each. One thread adds, any may read.
class RecentTrace {
 public:
  /// @param capacity how many; at least 1.
  explicit RecentTrace(std::size_t capacity) : capacity_(capacity) {}

  void add(const Event& event);

  /// As JSON lines, oldest first (traceio/json_lines.h). "dropped" counts those that have gone: of
  /// this trace they are the first ones.
  /// @param symbols the words of its events.
  void write(std::ostream& out, const Symbols& symbols) const;

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::vector<Event> ring_;
  std::uint64_t added_ = 0;
};

}  // namespace greetlab
