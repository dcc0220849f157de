#include "dns/blocking_poll.h"

#include <algorithm>
#include <limits>

namespace greetlab {
namespace {

/// For poll(2). Rounded up: one that ends before its time would have to be done again.
int milliseconds(Duration wait) {
  constexpr std::chrono::milliseconds kLongest{std::numeric_limits<int>::max()};
  return wait > kLongest
             ? -1
             : static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

}  // namespace

Time BlockingPoll::now() const {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

int BlockingPoll::watch(int fd, std::uint32_t events, Source& source) {
  watched_.push_back({fd, static_cast<short>(events), 0});
  sources_.push_back(&source);
  return 0;
}

void BlockingPoll::change(int fd, std::uint32_t events, Source&) {
  std::ranges::find(watched_, fd, &pollfd::fd)->events = static_cast<short>(events);
}

void BlockingPoll::forget(int fd, const Source&) {
  const auto at = std::ranges::find(watched_, fd, &pollfd::fd) - watched_.begin();
  watched_.erase(watched_.begin() + at);
  sources_.erase(sources_.begin() + at);
}

bool BlockingPoll::run_once(Duration at_most) {
  if (run_due()) return true;
  const Time due = timers_.next();
  const Duration wait =
      due == kNever ? at_most : std::clamp(due - now(), Duration{}, std::max(at_most, Duration{}));
  polled_ = watched_;
  const bool ready = poll(polled_.data(), polled_.size(), milliseconds(wait)) > 0;
  if (!ready) return run_due();  // after a signal its flags mean nothing
  for (const pollfd& one : polled_) {
    if (one.revents == 0) continue;
    const auto at = std::ranges::find(watched_, one.fd, &pollfd::fd) - watched_.begin();
    if (at == std::ssize(watched_)) continue;  // seeing to another one may have closed it
    sources_[static_cast<std::size_t>(at)]->on_ready(static_cast<std::uint32_t>(one.revents));
  }
  run_due();
  return true;
}

bool BlockingPoll::run_due() {
  const Time now_is = now();
  bool anything = false;
  for (; timers_.next() <= now_is; anything = true) timers_.take()();
  return anything;
}

}  // namespace greetlab
