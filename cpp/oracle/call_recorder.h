// What can be told of calls through a channel that is not ours: that they began, and how they
// ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "channel/told.h"
#include "trace/trace.h"

namespace greetlab {

/// A trace of outcomes. gRPC's own channel shows no picker and no address list, so nothing is said
/// of them; a connection is known from its pod, which names its own end and ours.
///
/// Several threads may record.
class CallRecorder {
 public:
  /// @param capacity how many events are kept; 0: none.
  /// @param listener hears of them in place of that; may be nullptr.
  CallRecorder(const std::string& who, std::size_t capacity, Trace::Listener* listener)
      : listener_(listener) {
    if (listener_ == nullptr && capacity > 0) listener_ = &recording_.emplace(capacity);
    if (listener != nullptr) symbols_.keep_at_most(kListenedWords);
    who_ = symbols_.intern(who);
  }

  bool on() const { return listener_ != nullptr; }

  struct Begun {
    CallId call{};
    EventId event = EventId::none;
  };
  Begun started(Time now, bool wait_for_ready) {
    if (!on()) return {};
    const std::lock_guard lock(mutex_);
    const auto call = static_cast<CallId>(++calls_);
    return {call, add(now, EventId::none, CallStarted{call, wait_for_ready})};
  }

  /// @param peer our end as the pod saw it; empty = unknown.
  void ended(Time now, Begun begun, Code code, std::string_view pod, const std::string& peer,
             std::string_view message) {
    if (!on()) return;
    const std::lock_guard lock(mutex_);
    const Symbol by = symbols_.intern(pod);
    add(now, begun.event,
        CallEnded{begun.call, code, connection(by, peer), by, symbols_.intern(message)});
  }

  /// What others on the calls' way say, now.
  void told(const XdsSaid& said) {
    if (!on()) return;
    const std::lock_guard lock(mutex_);
    const EventId cause = xds_causes_.of(said);
    xds_causes_.happened(said, told(actor(said), cause, said));
  }
  void told(const ProxySaid& said) {
    if (!on()) return;
    const std::lock_guard lock(mutex_);
    told(said.proxy, EventId::none, said);
  }

  const Symbols& symbols() const { return symbols_; }
  std::span<const Event> events() const {
    return recording_ ? recording_->events() : std::span<const Event>{};
  }
  std::uint64_t dropped() const { return recording_ ? recording_->dropped() : 0; }

 private:
  template <class Said>
  EventId told(const std::string& who, EventId cause, const Said& said) {
    const Time now(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
    return add(now, cause,
               fact_of(said, [this](const auto& word) { return symbols_.intern(word); }),
               symbols_.intern(who));
  }

  EventId add(Time now, EventId cause, Fact fact) { return add(now, cause, fact, who_); }
  EventId add(Time now, EventId cause, Fact fact, Symbol who) {
    const auto id = static_cast<EventId>(++events_);
    Event event{std::max(now, last_), id, cause, who, Certainty::observed, 0, fact};
    event.kind = static_cast<std::uint8_t>(fact.index());
    last_ = event.at;  // two threads may come in another order than they looked at the clock
    listener_->on_event(event);
    return id;
  }

  ConnectionId connection(Symbol pod, const std::string& peer) {
    if (peer.empty()) return ConnectionId::none;
    // Whoever answers may call itself anew each time.
    constexpr std::size_t kMost = 10'000;
    if (connections_.size() == kMost && !connections_.contains({pod, peer})) {
      return ConnectionId::none;
    }
    const auto next = static_cast<ConnectionId>(connections_.size() + 1);
    return connections_.try_emplace({pod, peer}, next).first->second;
  }

  std::mutex mutex_;
  Symbols symbols_;
  Symbol who_;
  XdsCauses xds_causes_;
  std::optional<Recording> recording_;
  Trace::Listener* listener_;
  std::map<std::pair<Symbol, std::string>, ConnectionId> connections_;
  std::uint32_t calls_ = 0;
  std::uint32_t events_ = 0;
  Time last_{};
};

}  // namespace greetlab
