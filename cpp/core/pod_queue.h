// Who is served by a pod, who waits, and who is sent away.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "core/load_meter.h"
#include "core/pod_options.h"

namespace greetlab {

/// What became of a call that has come to a pod.
enum class Entry : std::uint8_t { begun, waits, refused };

/// The places of a pod, and the queue for them: first come, first served. The same code for the
/// sim's pods and the real ones; who takes how long is theirs. Without a capacity it has a place
/// for everybody.
/// @tparam Call a handle: what is handed out again when it is that call's turn.
template <class Call>
class PodQueue {
 public:
  PodQueue(const PodOptions& options, Time now)
      : capacity_(options.capacity), most_waiting_(options.queue), meter_(now) {}

  Entry arrive(Call call, Time now) {
    if (!capacity_ || in_service_ < *capacity_) {
      meter_.serves(++in_service_, now);
      return Entry::begun;
    }
    if (most_waiting_ && waiting_.size() >= *most_waiting_) {
      meter_.ended(false, now);
      return Entry::refused;
    }
    waiting_.push_back(std::move(call));
    return Entry::waits;
  }

  /// One that was served has ended. Whoever calls this must ask `next` then.
  void end(bool ok, Time now) {
    meter_.ended(ok, now);
    meter_.serves(--in_service_, now);
  }

  /// Whose turn it is: that one is being served from now on. Nothing: nobody waits, or there is no
  /// place.
  std::optional<Call> next(Time now) {
    if (waiting_.empty() || (capacity_ && in_service_ >= *capacity_)) return std::nullopt;
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    meter_.serves(++in_service_, now);
    return call;
  }

  /// It waits no more. @return whether it did.
  bool leave(const Call& call) {
    const auto found = std::ranges::find(waiting_, call);
    if (found == waiting_.end()) return false;
    waiting_.erase(found);
    return true;
  }

  std::uint32_t in_service() const { return in_service_; }
  std::size_t waiting() const { return waiting_.size(); }
  LoadReport report(Time now) { return meter_.report(capacity_, waiting_.size(), now); }

 private:
  std::optional<std::uint32_t> capacity_;
  std::optional<std::uint32_t> most_waiting_;
  LoadMeter meter_;
  std::uint32_t in_service_ = 0;
  std::deque<Call> waiting_;  // who gives up has mostly waited for longest: it is found at once
};

}  // namespace greetlab
