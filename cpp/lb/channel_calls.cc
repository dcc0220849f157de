// A channel's calls: from the application's asking to the end, over as many attempts as it takes.
#include <algorithm>
#include <utility>

#include "lb/channel.h"

namespace greetlab {

namespace {

// Lets a variant be taken apart by a lambda for each kind.
template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;  // which clang has by itself since 17 (P1816)

constexpr std::string_view kCancelled = "cancelled by the caller";

}  // namespace

CallId Channel::call(SubchannelCall& subchannel_call, const CallOptions& options, Done done) {
  const auto id = ports_.trace.next_call();
  const EventId started = ports_.trace.emit(
      who_, EventId::none, [&] { return CallStarted{id, options.wait_for_ready}; });
  Call& call = add_call(id);
  call.subchannel_call = &subchannel_call;
  call.options = options;
  call.done = std::move(done);
  call.started = ports_.clock.now();
  call.event = started;
  call.max_request_bytes.reset();
  call.max_response_bytes.reset();
  call.configured = false;
  call.cancelled = false;
  call.sent = 0;
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
  Call& call = found->second;
  if (call.attempts.size() == 1 && !call.retrying) {
    call.cancelled = true;
    call.subchannel_call->cancel();
    return;
  }
  std::erase(queue_, id);
  end(id, {{Code::cancelled, std::string(kCancelled)}}, call.event);
}

// --- Picks ---------------------------------------------------------------------------------------

// What the service config has for its method holds from when there is one: a call may have begun
// before the first answer of the resolver (as in C-core, where it waits for it).
void Channel::configure(CallId id, Call& call) {
  call.configured = true;
  if (!service_config_) return;
  const MethodConfig* const config = service_config_->method(call.options.method);
  if (config == nullptr) return;
  if (config->timeout) {
    call.options.deadline = std::min(call.options.deadline, call.started + *config->timeout);
  }
  if (config->wait_for_ready && *config->wait_for_ready) call.options.wait_for_ready = true;
  call.max_request_bytes = config->max_request_bytes;
  call.max_response_bytes = config->max_response_bytes;
  if (!config->retry && !config->hedging) return;
  call.retrying = std::make_unique<Retrying>(service_config_, *config);
  call.retrying->begin();
  if (call.retrying->hedges()) hedge_after_delay(id, call);
}

void Channel::pick(CallId id, Call& call) {
  if (!call.configured && policy_) configure(id, call);
  const auto wait_or_fail = [&](const Status& status) {
    if (call.options.wait_for_ready) return enqueue(id, call, status.message);
    if (!call.retrying) return end(id, {status}, picker_event_);
    Attempt none{0, call.retrying->begun(), ConnectionId::none, nullptr, nullptr, nullptr};
    judge(id, call, none, {status}, picker_event_);
  };
  Pick picked = picker_->pick({id, call.options.metadata, call.event});
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
          [&](const PickWait& wait) {
            enqueue(id, call, wait.reason);
            // An IDLE policy connects when somebody calls, and also for a call that is
            // picked again. Not now: it may be the policy that makes us pick.
            if (state_ != ConnectivityState::idle) return;
            leave_idle_ =
                ports_.clock.at(ports_.clock.now(), [this, event = call.event] { connect(event); });
          },
          [&](const PickFail& fail) { wait_or_fail(fail.status); },
          // No other picker would have it: it is not tried again (A6; grpc-go's `a.drop`).
          [&](const PickDrop& drop) { end(id, {drop.status}, picker_event_); },
      },
      picked);
}

void Channel::send(CallId id, Call& call, PickTo to, Link& link) {
  call.timer.cancel();
  const std::uint32_t number = ++call.sent;
  const std::uint32_t counted = call.retrying ? call.retrying->begun() : 1;
  call.event = ports_.trace.emit(who_, picker_event_,
                                 [&] { return Picked{id, to.subchannel->id(), link.id()}; });
  // Two at once have a carrier each.
  auto own = call.attempts.empty() ? nullptr : call.subchannel_call->another();
  SubchannelCall& carrier = own ? *own : *call.subchannel_call;
  call.attempts.push_back(
      {number, counted, link.id(), std::move(to.tracker), &carrier, std::move(own)});
  link.send(carrier, {.call = id,
                      .previous_attempts = counted - 1,
                      .max_request_bytes = call.max_request_bytes,
                      .max_response_bytes = call.max_response_bytes,
                      .deadline = call.options.deadline,
                      .cause = call.event,
                      .done = {in_flight_, id, number}});
}

void Channel::enqueue(CallId id, Call& call, std::string_view reason) {
  queue_.push_back(id);
  call.event = ports_.trace.emit(who_, call.event,
                                 [&] { return CallQueued{id, ports_.trace.symbol(reason)}; });
  keep_deadline(id, call, "no connection was READY in time");
}

void Channel::keep_deadline(CallId id, Call& call, std::string_view too_late) {
  if (call.options.deadline == kNever) return;
  call.timer = ports_.clock.at(call.options.deadline, [this, id, too_late, event = call.event] {
    std::erase(queue_, id);
    end(id, {{Code::deadline_exceeded, std::string(too_late)}}, event);
  });
}

void Channel::drain_queue() {
  // Those that have to wait again queue up again, in the same order.
  const std::vector<CallId> waiting = std::exchange(queue_, {});
  for (const CallId id : waiting) {
    if (const auto found = calls_.find(id); found != calls_.end()) pick(id, found->second);
  }
}

// --- Ends ----------------------------------------------------------------------------------------

void Channel::on_outcome(CallId id, std::uint32_t number, const Outcome& outcome, EventId cause) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  Call& call = found->second;
  const auto at = std::ranges::find(call.attempts, number, &Attempt::number);
  if (at == call.attempts.end()) return;  // it was given up
  if (!outcome.unsent && !call.retrying) return end(id, outcome, cause, &*at);

  Attempt ended = std::move(*at);
  call.attempts.erase(at);
  if (call.cancelled) {
    if (ended.tracker) ended.tracker->on_done(outcome);
    return end(id, {{Code::cancelled, std::string(kCancelled)}}, cause);
  }
  if (outcome.unsent && ++call.unsent <= kTransparentRetries) {
    if (ended.tracker) ended.tracker->on_done(outcome);
    call.event = ports_.trace.emit(who_, cause, [&] { return CallUnsent{id, ended.connection}; });
    return pick(id, call);
  }
  Outcome final = outcome;
  final.unsent = false;
  if (!call.retrying) return end(id, final, cause, &ended);
  judge(id, call, ended, final, cause);
}

// Of a call with a retryPolicy or a hedgingPolicy.
void Channel::judge(CallId id, Call& call, Attempt& ended, const Outcome& outcome, EventId cause) {
  // What the deadline ends is over, whatever its code (C-core: the deadline is the call's, and
  // stands above its attempts).
  if (call.options.deadline <= ports_.clock.now()) return end(id, outcome, cause, &ended);

  RetryThrottle* const throttle = throttle_ ? &*throttle_ : nullptr;
  const std::uint32_t tokens = throttle != nullptr ? throttle->tokens() : 0;
  const Retrying::Verdict verdict =
      call.retrying->judge(outcome, call.attempts.size(), throttle, rng_);
  if (!verdict.over) {
    if (ended.tracker) ended.tracker->on_done(outcome);
    call.event = ports_.trace.emit(who_, cause, [&] {
      return AttemptEnded{id,
                          ended.counted,
                          outcome.status.code,
                          ended.connection,
                          outcome.pod,
                          ports_.trace.symbol(outcome.status.message)};
    });
  }
  if (throttle != nullptr) tell_tokens(tokens, call.event);
  if (!verdict.refused.empty()) {
    call.event = ports_.trace.emit(who_, verdict.over ? cause : call.event, [&] {
      return RetryRefused{id, ports_.trace.symbol(verdict.refused)};
    });
  }
  if (verdict.over) return end(id, outcome, cause, &ended);
  if (!verdict.again_after) return;  // those under way decide
  const Time when = ports_.clock.now() + *verdict.again_after;
  call.event = ports_.trace.emit(who_, call.event, [&] {
    return RetryScheduled{id, call.retrying->begun() + 1, when, verdict.pushback};
  });
  try_again_at(id, call, when);
}

void Channel::tell_tokens(std::uint32_t before, EventId cause) {
  if (throttle_->tokens() == before) return;
  ports_.trace.emit(who_, cause,
                    [&] { return RetryTokens{throttle_->tokens(), throttle_->most()}; });
}

void Channel::try_again_at(CallId id, Call& call, Time when) {
  if (call.attempts.empty()) keep_deadline(id, call, "it was to be tried again later");
  call.next_attempt = ports_.clock.at(when, [this, id] {
    Call& due = calls_.at(id);
    due.retrying->begin();
    if (due.retrying->hedges()) hedge_after_delay(id, due);
    pick(id, due);
  });
}

// --- Hedging -------------------------------------------------------------------------------------

void Channel::hedge_after_delay(CallId id, Call& call) {
  if (!call.retrying->may_hedge(throttle_ ? &*throttle_ : nullptr)) return;
  call.next_attempt = ports_.clock.at(ports_.clock.now() + call.retrying->hedging_delay(),
                                      [this, id] { hedge(id); });
}

void Channel::hedge(CallId id) {
  Call& call = calls_.at(id);
  if (!call.retrying->may_hedge(throttle_ ? &*throttle_ : nullptr)) return;
  call.retrying->begin();
  call.event =
      ports_.trace.emit(who_, call.event, [&] { return HedgeStarted{id, call.retrying->begun()}; });
  hedge_after_delay(id, call);
  pick(id, call);
}

// --- The end -------------------------------------------------------------------------------------

void Channel::end(CallId id, const Outcome& outcome, EventId cause, Attempt* by) {
  if (id == starting_) {  // who asked has not got its number yet
    calls_.at(id).timer = ports_.clock.at(ports_.clock.now(),
                                          [this, id, outcome, cause] { end(id, outcome, cause); });
    return;
  }
  Calls::node_type node = calls_.extract(id);
  Call& call = node.mapped();
  const auto connection = by != nullptr ? by->connection : ConnectionId::none;
  if (by != nullptr && by->tracker) by->tracker->on_done(outcome);
  // Others that are under way are given up: a cancelled call's, or a hedged one's that has lost.
  for (Attempt& other : call.attempts) {
    if (&other == by) continue;
    const Outcome given_up{{Code::cancelled, std::string(kCancelled)}};
    if (other.tracker) other.tracker->on_done(given_up);
    other.subchannel_call->cancel();
    if (!call.retrying) continue;
    ports_.trace.emit(who_, cause, [&] {
      return AttemptEnded{id,
                          other.counted,
                          Code::cancelled,
                          other.connection,
                          Symbol::none,
                          ports_.trace.symbol(by != nullptr ? "another attempt has ended the call"
                                                            : "the call has ended")};
    });
  }
  ports_.trace.emit(who_, cause, [&] {
    return CallEnded{id, outcome.status.code, connection, outcome.pod,
                     ports_.trace.symbol(outcome.status.message)};
  });
  call.timer.cancel();
  const CallResult result{id, outcome.status, outcome.pod, connection,
                          by != nullptr ? by->subchannel_call : nullptr};
  if (call.retrying) {
    std::erase(queue_, id);
    call.next_attempt.cancel();
    call.retrying.reset();
  }
  const Done done = std::exchange(call.done, nullptr);
  // Its place is the next call's, unless the answer still stands in it.
  if (std::ranges::none_of(call.attempts, [](const Attempt& one) { return one.own != nullptr; })) {
    call.attempts.clear();
    spare_.push_back(std::move(node));
  }
  if (calls_.empty()) watch_idleness();
  done(result);
}

}  // namespace greetlab
