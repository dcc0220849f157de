#include "lb/pooled_subchannel.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace greetlab {

using State = ConnectivityState;

PooledSubchannel::PooledSubchannel(Ports ports, SubchannelId id, Address address, EventId cause)
    : id_(id), ports_(ports), address_(std::move(address)) {
  ports_.trace.emit(ports_.who, cause, [&] {
    return SubchannelCreated{id_, ports_.trace.symbol(to_string(address_))};
  });
}

PooledSubchannel::~PooledSubchannel() {
  if (state_ != State::idle) become(State::shutdown, EventId::none);
}

void PooledSubchannel::watch(StateWatcher& watcher) {
  watchers_.add(watcher);
}

void PooledSubchannel::unwatch(StateWatcher& watcher) {
  watchers_.remove(watcher);
}

void PooledSubchannel::request_connection(EventId cause) {
  if (state_ != State::idle) return;
  const auto self = shared_from_this();
  const Time now = ports_.clock.now();
  // The backoff is counted from the start of an attempt, and bounds the start of the next one: a
  // slow failure is not made to wait twice (connection-backoff.md).
  next_attempt_ = now + backoff_.next(ports_.rng);
  const Time deadline = std::max(next_attempt_, now + kMinConnectTimeout);
  ++attempts_;
  const EventId connecting = become(State::connecting, cause);
  link_ = ports_.connector.dial(
      {ports_.who, id_, address_, attempts_, deadline, ports_.keepalive, connecting}, *this);
}

void PooledSubchannel::on_connected(EventId cause) {
  backoff_.reset();
  attempts_ = 0;
  become(State::ready, cause);
}

void PooledSubchannel::on_connect_failed(const Status& why, EventId cause) {
  const auto self = shared_from_this();
  link_.reset();
  failure_ = why;
  const Time until = std::max(next_attempt_, ports_.clock.now());
  const EventId backoff = ports_.trace.emit(
      ports_.who, cause, [&] { return BackoffStarted{id_, until, until - ports_.clock.now()}; });
  timer_ = ports_.clock.at(until, [this, backoff] { become(State::idle, backoff); });
  become(State::transient_failure, cause, why);
}

void PooledSubchannel::on_lost(EventId cause) {
  const auto self = shared_from_this();
  // Kept until everybody has heard: calls in flight may still end over it.
  const std::unique_ptr<Link> lost = std::move(link_);
  become(State::idle, cause);
}

void PooledSubchannel::on_too_many_pings(Duration time, EventId cause) {
  // Twice as long, on the channel's connections to come (gRFC A8); each that had the old one says
  // so, and once will do.
  if (ports_.keepalive.time >= 2 * time) return;
  ports_.keepalive.time = 2 * time;
  ports_.trace.emit(ports_.who, cause, [&] { return KeepaliveThrottled{2 * time}; });
}

EventId PooledSubchannel::become(State state, EventId cause, const Status& why) {
  assert(is_legal(state_, state));
  const State from = std::exchange(state_, state);
  const EventId event = ports_.trace.emit(ports_.who, cause, [&] {
    return SubchannelStateChanged{id_, from, state, ports_.trace.symbol(why.message)};
  });
  if (state == State::shutdown) return event;
  const auto self = shared_from_this();
  watchers_.tell([&](StateWatcher& watcher) { watcher.on_state(state, event); });
  return event;
}

}  // namespace greetlab
