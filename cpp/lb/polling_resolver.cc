#include "lb/polling_resolver.h"

#include <utility>

namespace greetlab {

PollingResolver::PollingResolver(Ports ports, std::unique_ptr<NameLookup> lookup, Duration cooldown)
    : ports_(ports), lookup_(std::move(lookup)), cooldown_(cooldown) {}

void PollingResolver::start(Watcher& watcher, EventId cause) {
  watcher_ = &watcher;
  maybe_look_up(cause);
}

void PollingResolver::refresh(EventId cause) {
  const EventId asked =
      ports_.trace.emit(ports_.who, cause, [] { return ReresolutionRequested{}; });
  if (looking_up_) return;  // the one under way will do
  if (answering_) {
    asked_meanwhile_ = true;  // once it is known whether the answer was any good
    return;
  }
  maybe_look_up(asked);
}

void PollingResolver::maybe_look_up(EventId cause) {
  // 1. One timer at the most: who asks while a lookup is put off waits for that one.
  if (put_off_) return;
  // 2. The cooldown is counted from the *start* of the last lookup (grpc-go: from its end).
  const Time earliest = last_start_ + cooldown_;
  if (started_once_ && earliest > ports_.clock.now()) {
    const EventId cooling =
        ports_.trace.emit(ports_.who, cause, [&] { return CooldownStarted{earliest}; });
    put_off_ = true;
    timer_ = ports_.clock.at(earliest, [this, cooling] {
      put_off_ = false;
      look_up(cooling);
    });
    return;
  }
  // 3. Now.
  look_up(cause);
}

void PollingResolver::look_up(EventId cause) {
  looking_up_ = true;
  started_once_ = true;
  last_start_ = ports_.clock.now();
  lookup_->lookup(cause,
                  [this](Resolution answer, EventId cause) { on_resolution(answer, cause); });
}

void PollingResolver::on_resolution(const Resolution& answer, EventId cause) {
  looking_up_ = false;
  answering_ = true;
  asked_meanwhile_ = false;
  const bool good = watcher_->on_resolution(answer, cause);
  answering_ = false;
  if (good) {
    backoff_.reset();
    if (asked_meanwhile_) maybe_look_up(cause);
    return;
  }
  // An answer that the policy cannot use (an empty list) is a failure like any other. Who asked
  // meanwhile gets what the backoff gives.
  const Time until = ports_.clock.now() + backoff_.next(ports_.rng);
  const EventId backoff =
      ports_.trace.emit(ports_.who, cause, [&] { return ResolverBackoffStarted{until}; });
  put_off_ = true;
  timer_ = ports_.clock.at(until, [this, backoff] {
    put_off_ = false;
    look_up(backoff);
  });
}

}  // namespace greetlab
