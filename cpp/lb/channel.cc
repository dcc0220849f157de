#include "lb/channel.h"

#include <algorithm>
#include <utility>

#include "core/duration.h"
#include "lb/policies/registry.h"

namespace greetlab {

using State = ConnectivityState;

namespace {

// Lets a variant be taken apart by a lambda for each kind.
template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};

// Before the first call, not at the first answer.
ChannelConfig checked(ChannelConfig config) {
  config.policy = complete(std::move(config.policy));
  return config;
}

}  // namespace

std::string name_of_next(const std::string& owner, std::uint32_t& made) {
  return owner + '.' + std::to_string(++made);
}

Channel::Channel(Ports ports, ChannelConfig config, MakeResolver make_resolver)
    : ports_(ports),
      config_(checked(std::move(config))),
      make_resolver_(std::move(make_resolver)),
      who_(ports_.trace.symbol(config_.name)),
      rng_(config_.seed),
      keepalive_(config_.keepalive),
      picker_(std::make_unique<QueuePicker>()),
      pool_({ports_.clock, ports_.connector, rng_, ports_.trace, who_, keepalive_}) {}

Channel::~Channel() {
  in_flight_.reset();
  const Outcome cancelled{{Code::cancelled, "the channel was closed"}};
  queue_.clear();
  // In the order in which they were started: how a hash table orders them differs between
  // libraries.
  std::vector<CallId> ids;
  for (const auto& [id, call] : calls_) ids.push_back(id);
  std::ranges::sort(ids);
  for (const CallId id : ids) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) continue;  // the end of another one has ended it
    if (found->second.attempt) found->second.subchannel_call->cancel();
    end(id, cancelled, found->second.event);
  }
  for (const auto& told : on_close_) {
    if (const auto task = told.lock()) (*task)();
  }
  resolver_.reset();
  policy_.reset();
  become(State::shutdown, {}, EventId::none);
}

// --- Calls ---------------------------------------------------------------------------------------

CallId Channel::call(SubchannelCall& subchannel_call, const CallOptions& options, Done done) {
  const auto id = ports_.trace.next_call();
  const EventId started = ports_.trace.emit(
      who_, EventId::none, [&] { return CallStarted{id, options.wait_for_ready}; });
  Call& call = add_call(id);
  call.subchannel_call = &subchannel_call;
  call.options = options;
  call.done = std::move(done);
  call.event = started;
  call.cancelled = false;
  call.unsent = 0;
  connect(started);
  starting_ = id;
  pick(id, call);
  starting_ = CallId{};
  return id;
}

Channel::Call& Channel::add_call(CallId id) {
  if (spare_.empty()) return calls_[id];
  Calls::node_type node = std::move(spare_.back());
  spare_.pop_back();
  node.key() = id;
  return calls_.insert(std::move(node)).position->second;
}

void Channel::cancel(CallId id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  if (found->second.attempt) {
    found->second.cancelled = true;
    found->second.subchannel_call->cancel();
    return;
  }
  std::erase(queue_, id);
  end(id, {{Code::cancelled, "cancelled by the caller"}}, found->second.event);
}

void Channel::pick(CallId id, Call& call) {
  const auto wait_or_fail = [&](const Status& status) {
    if (call.options.wait_for_ready) return enqueue(id, call, status.message);
    end(id, {status}, picker_event_);
  };
  Pick picked = picker_->pick({id});
  std::visit(
      Overloaded{
          [&](PickTo& to) {
            if (Link* link = to.subchannel->connection()) {
              return send(id, call, std::move(to), *link);
            }
            const std::string_view lost = "the connection it was picked for has just been lost";
            if (to.tracker) {
              to.tracker->on_done({{Code::unavailable, std::string(lost)}, Symbol::none, true});
            }
            enqueue(id, call, lost);
          },
          [&](PickWait) {
            enqueue(id, call, "no connection is READY yet");
            // An IDLE policy connects when somebody calls, and also for a call that is
            // picked again. Not now: it may be the policy that makes us pick.
            if (state_ != State::idle) return;
            leave_idle_ =
                ports_.clock.at(ports_.clock.now(), [this, event = call.event] { connect(event); });
          },
          [&](const PickFail& fail) { wait_or_fail(fail.status); },
          [&](const PickDrop& drop) { end(id, {drop.status}, picker_event_); },
      },
      picked);
}

void Channel::send(CallId id, Call& call, PickTo to, Link& link) {
  call.timer.cancel();
  call.attempt.emplace(link.id(), std::move(to.tracker));
  call.event = ports_.trace.emit(who_, picker_event_,
                                 [&] { return Picked{id, to.subchannel->id(), link.id()}; });
  link.send(id, *call.subchannel_call, call.options.deadline, call.event, {in_flight_, id});
}

void Channel::end_attempt(Call& call, const Outcome& outcome) {
  if (!call.attempt) return;
  if (call.attempt->tracker) call.attempt->tracker->on_done(outcome);
  call.attempt.reset();
}

void Channel::on_outcome(CallId id, const Outcome& outcome, EventId cause) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  if (!outcome.unsent) return end(id, outcome, cause);
  Call& call = found->second;
  const ConnectionId connection = call.attempt->connection;
  end_attempt(call, outcome);
  if (call.cancelled) return end(id, {{Code::cancelled, "cancelled by the caller"}}, cause);
  if (++call.unsent > kTransparentRetries) return end(id, {outcome.status}, cause);
  call.event = ports_.trace.emit(who_, cause, [&] { return CallUnsent{id, connection}; });
  pick(id, call);
}

void Channel::enqueue(CallId id, Call& call, std::string_view reason) {
  queue_.push_back(id);
  call.event = ports_.trace.emit(who_, call.event,
                                 [&] { return CallQueued{id, ports_.trace.symbol(reason)}; });
  if (call.options.deadline == kNever) return;
  call.timer = ports_.clock.at(call.options.deadline, [this, id, event = call.event] {
    std::erase(queue_, id);
    end(id, {{Code::deadline_exceeded, "no connection was READY in time"}}, event);
  });
}

void Channel::end(CallId id, const Outcome& outcome, EventId cause) {
  if (id == starting_) {  // who asked has not got its number yet
    calls_.at(id).timer = ports_.clock.at(ports_.clock.now(),
                                          [this, id, outcome, cause] { end(id, outcome, cause); });
    return;
  }
  Calls::node_type node = calls_.extract(id);
  Call& call = node.mapped();
  const auto connection = call.attempt ? call.attempt->connection : ConnectionId::none;
  end_attempt(call, outcome);
  ports_.trace.emit(who_, cause, [&] {
    return CallEnded{id, outcome.status.code, connection, outcome.pod,
                     ports_.trace.symbol(outcome.status.message)};
  });
  call.timer.cancel();
  const Done done = std::exchange(call.done, nullptr);
  spare_.push_back(std::move(node));
  if (calls_.empty()) watch_idleness();
  done({id, outcome.status, outcome.pod, connection});
}

void Channel::drain_queue() {
  // Those that have to wait again queue up again, in the same order.
  const std::vector<CallId> waiting = std::exchange(queue_, {});
  for (const CallId id : waiting) {
    if (const auto found = calls_.find(id); found != calls_.end()) pick(id, found->second);
  }
}

void Channel::on_close(std::weak_ptr<const Task> told) {
  std::erase_if(on_close_, [](const auto& one) { return one.expired(); });
  on_close_.push_back(std::move(told));
}

// --- States and pickers --------------------------------------------------------------------------

void Channel::connect(EventId cause) {
  if (policy_) return policy_->exit_idle(cause);
  if (resolver_) return;
  become(State::connecting, {}, cause);
  resolver_ = make_resolver_(rng_, who_);
  resolver_->start(*this, cause);
  watch_idleness();
}

// Called for each end of a call: so one timer serves them all, and looks how things are when it
// comes.
void Channel::watch_idleness() {
  if (config_.idle_timeout.count() == 0) return;
  idle_since_ = ports_.clock.now();
  if (std::exchange(watches_idleness_, true)) return;
  idle_ = ports_.clock.at(idle_since_ + config_.idle_timeout, [this] { look_idle(); });
}

void Channel::look_idle() {
  watches_idleness_ = false;
  if (!calls_.empty() || !resolver_) return;  // the end of the last one watches again
  const Time due = idle_since_ + config_.idle_timeout;
  if (due <= ports_.clock.now()) return go_idle();
  watches_idleness_ = true;
  idle_ = ports_.clock.at(due, [this] { look_idle(); });
}

void Channel::go_idle() {
  become(State::idle, {Code::ok, "no call for " + to_text(config_.idle_timeout)}, EventId::none);
  picker_ = std::make_unique<QueuePicker>();  // the old one points to what goes now
  picker_event_ = ports_.trace.emit(who_, EventId::none, [&] {
    return PickerPublished{ports_.trace.symbol(picker_->name()), 0, 0};
  });
  resolver_.reset();
  policy_.reset();
}

void Channel::look_again(EventId cause) {
  if (resolver_) resolver_->refresh(cause);
}

bool Channel::on_resolution(const Resolution& answer, EventId cause) {
  if (!policy_) {
    if (!answer.status.ok()) {
      // No policy ever had addresses, so the channel itself has to say so.
      publish(State::transient_failure, std::make_unique<FailPicker>(answer.status), answer.status,
              cause);
      return false;
    }
    policy_ = make_policy(config_.policy, *this, ports_.clock);
  }
  return policy_->update(answer, cause);
}

void Channel::publish(State state, std::unique_ptr<Picker> picker, const Status& why,
                      EventId cause) {
  become(state, why, cause);
  // One queue in place of another changes nothing for anybody.
  if (picker->name() == "queue" && picker_->name() == "queue") return;
  picker_ = std::move(picker);
  picker_event_ = ports_.trace.emit(who_, cause, [&] {
    return PickerPublished{ports_.trace.symbol(picker_->name()), picker_->ready(),
                           picker_->start()};
  });
  drain_queue();
}

void Channel::become(State state, const Status& why, EventId cause) {
  if (state == state_) return;
  const State from = std::exchange(state_, state);
  ports_.trace.emit(who_, cause, [&] {
    return ChannelStateChanged{from, state, ports_.trace.symbol(why.message)};
  });
}

void Channel::request_reresolution(EventId cause) {
  resolver_->refresh(cause);
}

}  // namespace greetlab
