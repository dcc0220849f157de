// Traces to and from JSON lines: a header, then an event a line.
//
//   {"greetlab_trace":1,"world":"SIM","events":2,"dropped":0}
//   {"id":1,"cause":0,"at_ns":0,"who":"client-1","certainty":"observed","fact":"CallStarted", ...
//   {"id":2,"cause":1,"at_ns":0,"who":"client-1","certainty":"observed","fact":"CallQueued", ...
//
// After "fact" come the fact's own fields (trace/fact.h). A symbol and a state are words, an id is
// a number, a time is integer nanoseconds under the field's name with "_ns" behind it. A time may
// be beyond 2^53, where numbers in JavaScript end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/symbol.h"
#include "trace/trace.h"

namespace greetlab {

/// The version of the format that this writes and reads. Any change to a fact is a new one.
constexpr std::uint64_t kTraceVersion = 7;

/// Writes events of one trace, or some of them, in their order.
///
/// @param symbols the trace's: the events' words.
/// @param dropped how many more there were that the recording could not keep.
/// @param world where it happened.
/// Whether all of it arrived, `out` knows.
void write_trace(std::ostream& out, std::span<const Event> events, const Symbols& symbols,
                 std::uint64_t dropped, std::string_view world);

/// A trace that was read. Its symbols are numbered anew, so they go with its own table only.
struct LoadedTrace {
  std::vector<Event> events;
  Symbols symbols;
  std::uint64_t dropped = 0;
  std::string world;

  LoadedTrace() = default;
  // The words in `symbols` stay where they are when it is moved, not when it is copied.
  LoadedTrace(LoadedTrace&&) = default;
};

/// Reads a trace to the end of the stream. Writing it again gives the same bytes.
///
/// @throws std::invalid_argument for anything but a whole trace of this version: the line and the
///   reason, `line 17: field "call" is missing`.
LoadedTrace read_trace(std::istream& in);

/// A trace that is still going on elsewhere, and comes in pieces: each is what `write_trace` makes
/// of the events that followed. One thread receives; others may read meanwhile.
class ReceivedTrace {
 public:
  /// @param capacity how many events it keeps, as a `Recording` does.
  ReceivedTrace(std::size_t capacity, std::string world)
      : recording_(capacity), world_(std::move(world)) {}

  /// @throws std::invalid_argument for what is no piece, as `read_trace` does, and for one that
  ///   does not follow. What came before the fault is there.
  void receive(std::istream& piece);

  std::span<const Event> events() const { return recording_.events(); }
  const Symbols& symbols() const { return symbols_; }
  /// Here, and where it was recorded.
  std::uint64_t dropped() const {
    return recording_.dropped() + dropped_.load(std::memory_order_relaxed);
  }
  const std::string& world() const { return world_; }

 private:
  Recording recording_;
  Symbols symbols_;
  std::uint32_t last_id_ = 0;
  std::atomic<std::uint64_t> dropped_{0};
  const std::string world_;
};

}  // namespace greetlab
