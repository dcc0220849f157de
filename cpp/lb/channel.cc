#include "lb/channel.h"

#include <algorithm>
#include <utility>

#include "core/duration.h"
#include "core/sort.h"
#include "lb/policies/registry.h"

namespace greetlab {

using State = ConnectivityState;

namespace {

// Before the first call, not at the first answer.
ChannelConfig checked(ChannelConfig config) {
  if (const ServiceConfig* own = config.service_config.get(); own != nullptr && own->policy) {
    config.policy = *own->policy;
  }
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
  sort(ids);
  for (const CallId id : ids) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) continue;  // the end of another one has ended it
    auto& attempts = found->second.attempts;
    Attempt* const only = attempts.size() == 1 ? &attempts.front() : nullptr;
    if (only != nullptr) only->subchannel_call->cancel();
    end(id, cancelled, found->second.event, only);
  }
  for (const auto& told : on_close_) {
    if (const auto task = told.lock()) (*task)();
  }
  resolver_.reset();
  policy_.reset();
  become(State::shutdown, {}, EventId::none);
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
  if (!policy_ && !answer.status.ok()) {
    // No policy ever had addresses, so the channel itself has to say so.
    publish(State::transient_failure, std::make_unique<FailPicker>(answer.status), answer.status,
            cause);
    return false;
  }
  if (!answer.config_status.ok() && !keeps_config(answer.config_status, cause)) return false;
  std::unique_ptr<LbPolicy> old;  // keeps its connections until the new one has asked for them
  if (answer.status.ok() && answer.config_status.ok()) {
    const auto before = service_config_;
    take_config(answer, cause);
    // What a resolver brings is all there is: where it names no policy, gRPC's default.
    const PolicyConfig wanted =
        answer.config ? complete(answer.config->policy.value_or(PolicyConfig{})) : config_.policy;
    if (policy_ && before != service_config_ && !same(policy_config_, wanted)) {
      publish(State::connecting, std::make_unique<QueuePicker>(), {}, cause);
      old = std::move(policy_);
    }
    if (!policy_) {
      policy_config_ = wanted;
      policy_ = make_policy(wanted, *this, ports_.clock);
    }
  }
  return policy_->update(answer, cause);
}

// gRFC A21: the config before it stays in force; without one, calls must not go as nobody meant.
bool Channel::keeps_config(const Status& why, EventId cause) {
  const bool kept = policy_ != nullptr;
  const EventId refused = ports_.trace.emit(who_, cause, [&] {
    return ServiceConfigRefused{ports_.trace.symbol("DNS"), ports_.trace.symbol(why.message), kept};
  });
  if (!kept) publish(State::transient_failure, std::make_unique<FailPicker>(why), why, refused);
  return kept;
}

void Channel::take_config(const Resolution& answer, EventId cause) {
  const auto& config = answer.config ? answer.config : config_.service_config;
  const auto text = [](const auto& one) { return one ? std::string_view(one->text) : ""; };
  // DNS brings the same text as another config each time.
  if (config == service_config_ ||
      (!text(config).empty() && text(config) == text(service_config_))) {
    return;
  }
  service_config_ = config;
  if (!config || !config->text.empty()) {
    ports_.trace.emit(who_, cause, [&] {
      return ServiceConfigTaken{ports_.trace.symbol(answer.config ? "DNS" : "the channel itself"),
                                ports_.trace.symbol(text(config))};
    });
  }
  if (service_config_ && service_config_->throttling) {
    const std::optional<RetryThrottle> before = throttle_;
    throttle_.emplace(*service_config_->throttling, before ? &*before : nullptr);
  } else {
    throttle_.reset();
  }
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

std::optional<std::string> Channel::health_service() const {
  return service_config_ ? service_config_->health_service : std::nullopt;
}

void Channel::request_reresolution(EventId cause) {
  resolver_->refresh(cause);
}

}  // namespace greetlab
