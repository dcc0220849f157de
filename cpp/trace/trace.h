// The trace: what happened, when, to whom, and because of what.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/clock.h"
#include "trace/fact.h"
#include "trace/symbol.h"

namespace greetlab {

/// Events are counted from 1 in the order in which they happened, so a cause is always a smaller
/// number than its effect. `none`: no cause, or one from before anybody listened.
enum class EventId : std::uint32_t { none = 0 };

struct Event {
  Time at;
  EventId id;
  EventId cause;
  Symbol who;  ///< "client-1", "dns", "pod-2", ...
  Certainty certainty;
  std::uint8_t kind;  ///< Which alternative of Fact, where a column of it can be seen.
  Fact fact;
};
static_assert(std::is_trivially_copyable_v<Event> && sizeof(Event) <= 56);

/// Where events go to. Emitting costs one relaxed load while nobody listens: the fact is not even
/// made. (ninja's explanations are the model: a log that is free when it is off.)
///
/// Emitted to by one thread. Who listens may be changed by another one.
class Trace {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    /// On the emitting thread, which waits for it.
    virtual void on_event(const Event& event) = 0;
  };

  explicit Trace(const Clock& clock) : clock_(clock) {}
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Events from now on go to `listener`; nullptr: to nobody.
  void listen(Listener* listener) { listener_.store(listener, std::memory_order_release); }
  bool listening() const { return listener_.load(std::memory_order_relaxed) != nullptr; }

  /// Tells that what `make()` returns has happened to `who` because of `cause`.
  ///
  /// @param make makes the fact; called only if somebody listens, so it may intern words.
  /// @return the event, to be the cause of others; none if nobody listens.
  template <std::invocable Make>
  EventId emit(Symbol who, EventId cause, Make&& make) {
    using Made = std::invoke_result_t<Make>;
    return emit(who, cause, Made::kCertainty, std::forward<Make>(make));
  }

  /// The same for a fact that is less certain here than its kind.
  template <std::invocable Make>
  EventId emit(Symbol who, EventId cause, Certainty certainty, Make&& make) {
    Listener* const listener = listener_.load(std::memory_order_relaxed);
    if (listener == nullptr) return EventId::none;
    Event event{clock_.now(), static_cast<EventId>(++last_), cause, who, certainty, 0, make()};
    event.kind = static_cast<std::uint8_t>(event.fact.index());
    listener->on_event(event);
    return event.id;
  }

  /// Numbers for what the facts are about, each unique in this trace, whoever asks. They count when
  /// nobody listens, too.
  CallId next_call() { return static_cast<CallId>(++calls_); }
  SubchannelId next_subchannel() { return static_cast<SubchannelId>(++subchannels_); }
  ConnectionId next_connection() { return static_cast<ConnectionId>(++connections_); }

  /// The symbol of a word, for a fact.
  Symbol symbol(std::string_view word) { return symbols_.intern(word); }
  const Symbols& symbols() const { return symbols_; }
  /// See Symbols::keep_at_most.
  void keep_words(std::size_t bytes) { symbols_.keep_at_most(bytes); }

 private:
  const Clock& clock_;
  std::atomic<Listener*> listener_{nullptr};
  std::uint32_t last_ = 0;
  std::uint32_t calls_ = 0;
  std::uint32_t subchannels_ = 0;
  std::uint32_t connections_ = 0;
  Symbols symbols_;
};

/// How many events a recording keeps where nobody says.
inline constexpr std::size_t kTraceCapacity = 1'000'000;
/// How many bytes of words there are where somebody listens for ever.
inline constexpr std::size_t kListenedWords = 1024 * 1024;
inline constexpr const char* kTraceCapacityHelp =
    "how many events are kept, 56 bytes each and the words once; 0: none. What comes after them is "
    "counted";

/// Keeps events: 56 bytes each, in one block that never moves, so that others may look at it
/// without a copy. The block is reserved at once and costs memory only as it fills. What comes when
/// it is full is counted and not kept: a trace loses its end, never its middle.
class Recording final : public Trace::Listener {
 public:
  explicit Recording(std::size_t capacity)
      : capacity_(capacity), events_(std::allocator<Event>().allocate(capacity)) {}
  ~Recording() override { std::allocator<Event>().deallocate(events_, capacity_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void on_event(const Event& event) override {
    const std::size_t size = size_.load(std::memory_order_relaxed);
    if (size == capacity_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    std::construct_at(events_ + size, event);
    size_.store(size + 1, std::memory_order_release);  // readers see it whole or not at all
  }

  /// From any thread. What is there stays there.
  std::span<const Event> events() const { return {events_, size_.load(std::memory_order_acquire)}; }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  const std::size_t capacity_;
  Event* const events_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace greetlab
