#include "lb/policies/endpoint_list.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace greetlab {
namespace {

using State = ConnectivityState;

}  // namespace

// One list of addresses: its subchannels, and how many of them are in which state.
class EndpointListPolicy::List {
 public:
  List(EndpointListPolicy& policy, ListId id, const std::vector<Address>& addresses,
       EventId because)
      : policy_(policy), id_(id) {
    for (const Address& address : addresses) {
      children_.push_back(
          std::make_unique<Child>(*this, policy.helper_.subchannel(address, because)));
    }
  }

  // Learns the first state of every child. Apart from the constructor, so that the list is in its
  // place when they are IDLE and begin to connect.
  void start(EventId because) {
    for (const auto& child : children_) child->begin(because);
  }

  ListId id() const { return id_; }
  const Status& last_failure() const { return last_failure_; }
  bool any_ready() const { return count(State::ready) > 0; }
  bool any_connecting() const { return count(State::connecting) > 0; }
  bool all_failed() const { return count(State::transient_failure) == children_.size(); }
  bool all_reported() const {
    return std::ranges::all_of(children_, [](const auto& child) { return child->reported(); });
  }

  std::vector<Subchannel*> ready() const {
    std::vector<Subchannel*> ready;
    for (const auto& child : children_) {
      if (child->state() == State::ready) ready.push_back(&child->subchannel());
    }
    return ready;
  }

 private:
  class Child final : private Subchannel::Watcher {
   public:
    Child(List& list, std::shared_ptr<Subchannel> subchannel)
        : list_(list), subchannel_(std::move(subchannel)) {}
    ~Child() override { subchannel_->unwatch(*this); }

    void begin(EventId because) {
      subchannel_->watch(*this);
      on_state(subchannel_->state(), because);
    }

    /// As the policy counts it, which is not always what it is (`on_state`).
    std::optional<State> state() const { return state_; }
    bool reported() const { return state_.has_value(); }
    Subchannel& subchannel() const { return *subchannel_; }

   private:
    // May be the end of the list, and of this child with it: nothing of ours is touched after a
    // call that leads to the policy.
    void on_state(State state, EventId cause) override {
      // 1. A child in trouble may mean that the list is old. Not at its first report: the list is
      //    new then, and asking again would never end.
      const bool first = !state_.has_value();
      if (!first && (state == State::transient_failure || state == State::idle)) {
        list_.policy_.helper_.request_reresolution(cause);
      }
      // 2. An IDLE child connects at once. That it is CONNECTING then is what counts.
      if (state == State::idle) {
        const std::shared_ptr<Subchannel> subchannel = subchannel_;
        subchannel->request_connection(cause);
        return;
      }
      // 3. TRANSIENT_FAILURE is sticky until it is READY again: another attempt after a failure
      //    is no reason to let calls wait.
      if (state_ != State::transient_failure || state == State::ready) state_ = state;
      if (state == State::transient_failure) list_.last_failure_ = subchannel_->failure();
      // 4. With the states as they now are, the policy decides: swap the lists? which state, which
      //    picker?
      list_.policy_.on_child_changed(list_, cause);
    }

    List& list_;
    std::shared_ptr<Subchannel> subchannel_;
    std::optional<State> state_;
  };

  std::size_t count(State state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        children_, [state](const auto& child) { return child->state() == state; }));
  }

  EndpointListPolicy& policy_;
  const ListId id_;
  std::vector<std::unique_ptr<Child>> children_;
  Status last_failure_;
};

EndpointListPolicy::EndpointListPolicy(PolicyHelper& helper) : helper_(helper) {}

EndpointListPolicy::~EndpointListPolicy() = default;

bool EndpointListPolicy::update(const Resolution& update, EventId because) {
  // A resolver's error with a list in hand keeps the list.
  if (!update.status.ok() && current_) return false;

  Trace& trace = helper_.trace();
  const auto id = static_cast<ListId>(++lists_);
  const bool usable = !update.addresses.empty();
  const EventId taken = trace.emit(helper_.who(), because, [&] {
    return AddressListTaken{id, trace.symbol(to_string(update.addresses)),
                            static_cast<std::uint32_t>(update.addresses.size()),
                            usable && current_ != nullptr};
  });
  auto list = std::make_unique<List>(*this, id, update.addresses, taken);
  if (!usable) {
    // An empty list replaces the one in use at once: the service has no pods.
    pending_.reset();
    current_ = std::move(list);
    fail(update.status.ok() ? Status{Code::unavailable, "empty address list"} : update.status,
         taken);
    return false;
  }
  if (current_ == nullptr) {
    current_ = std::move(list);
    helper_.publish(State::connecting, std::make_unique<QueuePicker>(), {}, taken);
    current_->start(taken);
  } else {
    pending_ = std::move(list);  // one that was pending before is forgotten
    pending_->start(taken);
  }
  return true;
}

void EndpointListPolicy::on_child_changed(List& list, EventId cause) {
  if (&list == pending_.get()) {
    // The pending list is swapped in when ...
    const char* reason = nullptr;
    if (!current_->any_ready()) {
      reason = "the list in use has no READY subchannel";
    } else if (pending_->any_ready() && pending_->all_reported()) {
      reason = "the new list has a READY subchannel, and all of it have reported";
    } else if (pending_->all_failed()) {
      reason = "the whole new list is in TRANSIENT_FAILURE";
    }
    if (reason == nullptr) return;
    current_ = std::move(pending_);
    Trace& trace = helper_.trace();
    cause = trace.emit(helper_.who(), cause,
                       [&] { return ListSwapped{current_->id(), trace.symbol(reason)}; });
  }
  publish(cause);
}

void EndpointListPolicy::publish(EventId cause) {
  // The first that holds:
  if (current_->any_ready()) {
    helper_.publish(State::ready, make_picker(current_->ready()), {}, cause);
  } else if (current_->any_connecting()) {
    helper_.publish(State::connecting, std::make_unique<QueuePicker>(), {}, cause);
  } else if (current_->all_failed()) {
    fail({Code::unavailable,
          "connections to all backends failing; last error: " + current_->last_failure().message},
         cause);
  }
}

void EndpointListPolicy::fail(const Status& why, EventId cause) {
  helper_.publish(State::transient_failure, std::make_unique<FailPicker>(why), why, cause);
}

}  // namespace greetlab
