#include "lb/policies/endpoint_list.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "lb/policies/address_list.h"
#include "lb/policies/health_checked_subchannel.h"

namespace greetlab {

using State = ConnectivityState;

// One endpoint of a list. Its end may come from within a call that leads to the policy: nothing of
// ours is touched after it.
class EndpointListPolicy::Child {
 public:
  explicit Child(List& list) : list_(list) {}
  virtual ~Child() = default;

  virtual void begin(EventId cause) = 0;
  /// The one that is connected, where it is READY.
  virtual Subchannel& subchannel() const = 0;

  /// As the policy counts it, which is not always what it is (`report`).
  std::optional<State> state() const { return state_; }
  bool reported() const { return state_.has_value(); }

 protected:
  void in_trouble(EventId cause);
  void report(State state, const Status& failure, EventId cause);

  List& list_;

 private:
  std::optional<State> state_;
};

// One list of endpoints: their connections, and how many of them are in which state.
class EndpointListPolicy::List {
 public:
  List(EndpointListPolicy& policy, ListId id, const std::vector<Endpoint>& endpoints,
       EventId cause);

  // Learns the first state of every child. Apart from the constructor, so that the list is in its
  // place when they are IDLE and begin to connect.
  void start(EventId cause) {
    for (const auto& child : children_) child->begin(cause);
  }

  EndpointListPolicy& policy() const { return policy_; }
  ListId id() const { return id_; }
  const Status& last_failure() const { return last_failure_; }
  void set_last_failure(const Status& failure) { last_failure_ = failure; }
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
  std::size_t count(State state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        children_, [state](const auto& child) { return child->state() == state; }));
  }

  EndpointListPolicy& policy_;
  const ListId id_;
  // Not a vector: with which of its elements its end begins, each standard library has for itself,
  // and that is the order in which their subchannels end.
  std::deque<std::unique_ptr<Child>> children_;
  Status last_failure_;
};

// A child in trouble may mean that the list is old. Not at its first report: the list is new then,
// and asking again would never end.
void EndpointListPolicy::Child::in_trouble(EventId cause) {
  if (reported()) list_.policy().helper_.request_reresolution(cause);
}

void EndpointListPolicy::Child::report(State state, const Status& failure, EventId cause) {
  // 3. TRANSIENT_FAILURE is sticky until it is READY again: another attempt after a failure is no
  //    reason to let calls wait.
  if (state_ != State::transient_failure || state == State::ready) state_ = state;
  if (state == State::transient_failure) list_.set_last_failure(failure);
  // 4. With the states as they now are, the policy decides: swap the lists? which state, which
  //    picker?
  list_.policy().on_child_changed(list_, cause);
}

// The usual endpoint, and all that gRPC 1.51 knows.
class EndpointListPolicy::OneAddress final : public Child, private Subchannel::Watcher {
 public:
  OneAddress(List& list, std::shared_ptr<Subchannel> subchannel)
      : Child(list), subchannel_(std::move(subchannel)) {}
  ~OneAddress() override { subchannel_->unwatch(*this); }

  void begin(EventId cause) override {
    subchannel_->watch(*this);
    on_state(subchannel_->state(), cause);
  }
  Subchannel& subchannel() const override { return *subchannel_; }

 private:
  void on_state(State state, EventId cause) override {
    // 1. Trouble: it is lost, it has failed, or its backoff is over.
    if (state == State::transient_failure || state == State::idle) in_trouble(cause);
    // 2. An IDLE child connects at once. That it is CONNECTING then is what counts.
    if (state == State::idle) {
      const std::shared_ptr<Subchannel> subchannel = subchannel_;
      subchannel->request_connection(cause);
      return;
    }
    report(state, subchannel_->failure(), cause);
  }

  const std::shared_ptr<Subchannel> subchannel_;
};

// An endpoint with a choice: a pick_first of its own (A61).
class EndpointListPolicy::SeveralAddresses final : public Child, public AddressList::Watcher {
 public:
  SeveralAddresses(List& list, std::vector<Address> addresses, EventId cause)
      : Child(list),
        addresses_(interleaved(std::move(addresses))),
        attempts_(make_attempts(cause)) {}

  void begin(EventId cause) override {
    report(State::connecting, {}, cause);
    attempts_->start(cause);
  }
  Subchannel& subchannel() const override { return *selected_; }

 private:
  void on_ready(AddressList&, Subchannel& selected, EventId cause) override {
    selected_ = &selected;
    report(State::ready, {}, cause);
  }
  void on_all_failed(AddressList&, const Status& why, EventId cause) override {
    in_trouble(cause);
    report(State::transient_failure, why, cause);
  }
  // It connects at once, to whichever address it may be.
  void on_selected_lost(EventId cause) override {
    in_trouble(cause);
    const auto lost =
        std::exchange(attempts_, make_attempts(cause));  // until its picker is replaced
    begin(cause);
  }

  std::unique_ptr<AddressList> make_attempts(EventId cause) {
    EndpointListPolicy& policy = list_.policy();
    std::vector<std::shared_ptr<Subchannel>> subchannels;
    for (const Address& one : addresses_) subchannels.push_back(policy.subchannel(one, cause));
    return std::make_unique<AddressList>(*this, policy.clock_, std::move(subchannels));
  }

  const std::vector<Address> addresses_;
  std::unique_ptr<AddressList> attempts_;
  Subchannel* selected_ = nullptr;
};

EndpointListPolicy::List::List(EndpointListPolicy& policy, ListId id,
                               const std::vector<Endpoint>& endpoints, EventId cause)
    : policy_(policy), id_(id) {
  for (const auto& [addresses, attributes] : endpoints) {
    if (addresses.size() == 1) {
      children_.push_back(
          std::make_unique<OneAddress>(*this, policy.subchannel(addresses.front(), cause)));
    } else {
      children_.push_back(std::make_unique<SeveralAddresses>(*this, addresses, cause));
    }
  }
}

EndpointListPolicy::EndpointListPolicy(PolicyHelper& helper, Clock& clock)
    : helper_(helper), clock_(clock) {}

EndpointListPolicy::~EndpointListPolicy() = default;

std::shared_ptr<Subchannel> EndpointListPolicy::subchannel(const Address& address, EventId cause) {
  std::shared_ptr<Subchannel> plain = helper_.subchannel(address, cause);
  const std::optional<std::string> service = helper_.health_service();
  // One for all lists that have the address: a new one need not ask the server again.
  auto& [known, asked] = dressed_[plain->id()];
  if (asked == service) {
    if (auto dressed = known.lock()) return dressed;
  }
  std::shared_ptr<Subchannel> dressed = health_checked(dress(std::move(plain)), helper_, clock_);
  known = dressed;
  asked = service;
  return dressed;
}

bool EndpointListPolicy::update(const Resolution& update, EventId cause) {
  // A resolver's error with a list in hand keeps the list.
  if (!update.status.ok() && current_) return false;

  std::erase_if(dressed_, [](const auto& one) { return one.second.first.expired(); });
  Trace& trace = helper_.trace();
  const auto id = static_cast<ListId>(++lists_);
  const bool usable = !update.endpoints.empty();
  const EventId taken = trace.emit(helper_.who(), cause, [&] {
    const std::vector<Address> addresses = addresses_of(update.endpoints);
    return AddressListTaken{id, trace.symbol(to_string(addresses)),
                            static_cast<std::uint32_t>(addresses.size()),
                            usable && current_ != nullptr};
  });
  auto list = std::make_unique<List>(*this, id, update.endpoints, taken);
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
