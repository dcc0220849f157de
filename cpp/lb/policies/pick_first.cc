// One address at a time: the first that answers gets every call.
#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "lb/policies/registry.h"
#include "lb/subchannel.h"

namespace greetlab {
namespace {

using State = ConnectivityState;

class PickFirstPicker final : public Picker {
 public:
  explicit PickFirstPicker(Subchannel& selected) : selected_(selected) {}
  Pick pick(const PickArgs&) override { return PickTo{&selected_}; }
  std::string_view name() const override { return "pick_first"; }
  std::uint32_t ready() const override { return 1; }

 private:
  Subchannel& selected_;
};

/// gRPC's pick_first, its default policy (client channel spec; gRFC A62; A61 for Happy Eyeballs):
///
/// - tries the addresses in order, or shuffled (A62; gRPC 1.56 and newer);
/// - after 250 ms without an answer the next one is tried as well (A61; gRPC 1.66 and newer);
/// - the first READY one is selected, and the others are let go;
/// - when it is lost the channel is IDLE: nothing happens until somebody calls;
/// - when all have failed: TRANSIENT_FAILURE, which is sticky, and the attempts go on.
class PickFirst final : public LbPolicy {
 public:
  static constexpr Duration kHappyEyeballsDelay = std::chrono::milliseconds(250);

  PickFirst(PolicyHelper& helper, Clock& clock, bool shuffle);
  ~PickFirst() override;

  bool update(const Resolution& update, EventId because) override;
  void exit_idle(EventId because) override;

 private:
  class List;

  void try_addresses(EventId because);
  void on_ready(List& list, const std::shared_ptr<Subchannel>& subchannel, EventId cause);
  void on_all_failed(List& list, const Status& why, EventId cause);
  void on_selected_lost(EventId cause);
  /// The pending list is the current one from now on; `cause` becomes the event that says so.
  /// @return the list that was, to be kept until its picker is replaced.
  std::unique_ptr<List> swap_lists(std::string_view reason, EventId& cause);
  void fail(const Status& why, EventId cause);

  PolicyHelper& helper_;
  Clock& clock_;
  const bool shuffle_;
  std::vector<Address> addresses_;  // the latest list that was not empty
  std::uint32_t lists_ = 0;
  std::unique_ptr<List> current_;  // holds the selected subchannel, or is being tried
  std::unique_ptr<List> pending_;  // is being tried while `current_` has a selected one
  bool idle_ = false;
  bool failed_ = false;  // TRANSIENT_FAILURE, until something is READY
};

// One list of addresses, tried from the first to the last.
class PickFirst::List {
 public:
  List(PickFirst& policy, ListId id, const std::vector<Address>& addresses, EventId because)
      : policy_(policy), id_(id) {
    for (const Address& address : addresses) {
      children_.push_back(
          std::make_unique<Child>(*this, policy.helper_.subchannel(address, because)));
    }
  }

  ListId id() const { return id_; }
  bool has_selected() const { return selected_ != nullptr; }

  // Apart from the constructor, so that the list is in its place when an address answers at once.
  void start(EventId because) {
    for (const auto& child : children_) child->watch();
    // One of the addresses may be connected already: it was in the list before.
    for (const auto& child : children_) {
      if (child->subchannel().state() != State::ready) continue;
      return select(*child, because);
    }
    try_next(because);
  }

 private:
  class Child final : private Subchannel::Watcher {
   public:
    Child(List& list, std::shared_ptr<Subchannel> subchannel)
        : list_(list), subchannel_(std::move(subchannel)) {}
    ~Child() override { subchannel_->unwatch(*this); }

    void watch() { subchannel_->watch(*this); }
    Subchannel& subchannel() const { return *subchannel_; }
    const std::shared_ptr<Subchannel>& shared() const { return subchannel_; }

    bool failed = false;

   private:
    void on_state(State state, EventId cause) override { list_.on_child(*this, state, cause); }

    List& list_;
    std::shared_ptr<Subchannel> subchannel_;
  };

  void on_child(Child& child, State state, EventId cause) {
    if (selected_ != nullptr) {
      if (&child == selected_) policy_.on_selected_lost(cause);
      return;
    }
    switch (state) {
      case State::ready: return select(child, cause);
      case State::transient_failure: return on_failed(child, cause);
      case State::idle:
        // Its backoff is over. After the first round each is tried again as soon as it may be.
        if (failed_) child.shared()->request_connection(cause);
        return;
      case State::connecting:
      case State::shutdown: return;
    }
  }

  // Moves on to the next address that is worth an attempt.
  void try_next(EventId because) {
    while (next_ < children_.size()) {
      Child& child = *children_[next_++];
      switch (child.subchannel().state()) {
        case State::idle:
          // May be the end of us, where the attempt ends at once: nothing of ours after it, but
          // the timer is set before.
          set_timer(because);
          child.shared()->request_connection(because);
          return;
        case State::connecting: return set_timer(because);
        default:  // TRANSIENT_FAILURE: it waits for the end of its backoff
          child.failed = true;
      }
    }
    timer_.cancel();
    maybe_all_failed(because);
  }

  void set_timer(EventId because) {
    if (next_ >= children_.size()) return;
    timer_ = policy_.clock_.at(policy_.clock_.now() + kHappyEyeballsDelay,
                               [this, because] { try_next(because); });
  }

  void on_failed(Child& child, EventId cause) {
    child.failed = true;
    why_ = child.subchannel().failure();
    if (failed_) {
      // The rounds after the first: as many failures as there are addresses are one more round.
      if (++failures_ % children_.size() == 0) policy_.on_all_failed(*this, why_, cause);
      return;
    }
    const bool was_the_last_tried = children_[next_ - 1].get() == &child;
    if (was_the_last_tried && next_ < children_.size()) return try_next(cause);
    maybe_all_failed(cause);
  }

  void maybe_all_failed(EventId cause) {
    const bool all =
        next_ == children_.size() &&
        std::ranges::all_of(children_, [](const auto& child) { return child->failed; });
    if (!all || failed_) return;
    failed_ = true;
    if (why_.ok()) why_ = children_.back()->subchannel().failure();
    for (const auto& child : children_)
      child->shared()->request_connection(cause);  // those that are IDLE
    policy_.on_all_failed(*this, why_, cause);
  }

  void select(Child& child, EventId cause) {
    timer_.cancel();
    selected_ = &child;
    const std::shared_ptr<Subchannel> subchannel = child.shared();
    // The others are let go: their attempts and connections end here.
    std::erase_if(children_, [&](const auto& other) { return other.get() != selected_; });
    policy_.on_ready(*this, subchannel, cause);
  }

  PickFirst& policy_;
  const ListId id_;
  std::vector<std::unique_ptr<Child>> children_;
  std::size_t next_ = 0;  // of `children_`: the next to try
  Timer timer_;
  Status why_;
  bool failed_ = false;  // every address has failed at least once
  std::size_t failures_ = 0;
  Child* selected_ = nullptr;
};

PickFirst::PickFirst(PolicyHelper& helper, Clock& clock, bool shuffle)
    : helper_(helper), clock_(clock), shuffle_(shuffle) {}

PickFirst::~PickFirst() = default;

bool PickFirst::update(const Resolution& update, EventId because) {
  // A resolver's error with a list in hand keeps the list.
  if (!update.status.ok() && !addresses_.empty()) return false;
  if (update.addresses.empty()) {
    // An empty list replaces the one in use at once, and is no list to try again with.
    addresses_.clear();
    current_.reset();
    pending_.reset();
    idle_ = false;
    fail(update.status.ok() ? Status{Code::unavailable, "empty address list"} : update.status,
         because);
    return false;
  }
  addresses_ = update.addresses;
  if (shuffle_) {
    for (std::size_t left = addresses_.size(); left > 1; --left) {  // Fisher and Yates
      std::swap(addresses_[left - 1], addresses_[helper_.rng().below(left)]);
    }
  }
  if (!idle_) try_addresses(because);  // else when somebody calls
  return true;
}

void PickFirst::exit_idle(EventId because) {
  if (!idle_) return;
  idle_ = false;
  try_addresses(because);
}

void PickFirst::try_addresses(EventId because) {
  Trace& trace = helper_.trace();
  const auto id = static_cast<ListId>(++lists_);
  const bool pending = current_ && current_->has_selected();
  const EventId taken = trace.emit(helper_.who(), because, [&] {
    return AddressListTaken{id, trace.symbol(to_string(addresses_)),
                            static_cast<std::uint32_t>(addresses_.size()), pending};
  });
  auto list = std::make_unique<List>(*this, id, addresses_, taken);
  if (pending) {
    pending_ = std::move(list);
    pending_->start(taken);
    return;
  }
  current_ = std::move(list);
  // TRANSIENT_FAILURE is sticky: a new list is no reason to let calls wait again (A62).
  if (!failed_) {
    helper_.publish(State::connecting, std::make_unique<QueuePicker>(), {}, taken);
  }
  current_->start(taken);
}

void PickFirst::on_ready(List& list, const std::shared_ptr<Subchannel>& subchannel, EventId cause) {
  std::unique_ptr<List> old;  // until its picker is replaced
  if (&list == pending_.get()) old = swap_lists("the new list has a READY subchannel", cause);
  failed_ = false;
  helper_.publish(State::ready, std::make_unique<PickFirstPicker>(*subchannel), {}, cause);
}

void PickFirst::on_all_failed(List& list, const Status& why, EventId cause) {
  std::unique_ptr<List> old;
  if (&list == pending_.get()) {
    // The selected address is no longer in the list, and nothing in the list answers: the list
    // counts, not the connection.
    old = swap_lists("the whole new list is in TRANSIENT_FAILURE", cause);
  }
  fail({Code::unavailable, "failed to connect to all addresses; last error: " + why.message},
       cause);
  helper_.request_reresolution(cause);
}

void PickFirst::on_selected_lost(EventId cause) {
  helper_.request_reresolution(cause);
  std::unique_ptr<List> old;  // its subchannel is telling us: it goes when this returns
  if (pending_) {
    old = swap_lists("the selected connection was lost", cause);
    helper_.publish(State::connecting, std::make_unique<QueuePicker>(), {}, cause);
  } else {
    idle_ = true;
    old = std::move(current_);
    helper_.publish(State::idle, std::make_unique<QueuePicker>(), {}, cause);
  }
}

std::unique_ptr<PickFirst::List> PickFirst::swap_lists(std::string_view reason, EventId& cause) {
  std::unique_ptr<List> old = std::exchange(current_, std::move(pending_));
  Trace& trace = helper_.trace();
  cause = trace.emit(helper_.who(), cause,
                     [&] { return ListSwapped{current_->id(), trace.symbol(reason)}; });
  return old;
}

void PickFirst::fail(const Status& why, EventId cause) {
  failed_ = true;
  helper_.publish(State::transient_failure, std::make_unique<FailPicker>(why), why, cause);
}

}  // namespace

PolicyType pick_first() {
  return {.name = "pick_first",
          .fields = {{"shuffleAddressList", 0, 0, 1}},
          .make = [](const PolicyConfig& config, PolicyHelper& helper, Clock& clock) {
            const bool shuffle = config.fields.at("shuffleAddressList") != 0;
            return std::make_unique<PickFirst>(helper, clock, shuffle);
          }};
}

}  // namespace greetlab
