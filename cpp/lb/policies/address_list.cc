#include "lb/policies/address_list.h"

#include <algorithm>
#include <utility>

namespace greetlab {

using State = ConnectivityState;

class AddressList::Child final : private Subchannel::Watcher {
 public:
  Child(AddressList& list, std::shared_ptr<Subchannel> subchannel)
      : list_(list), subchannel_(std::move(subchannel)) {}
  ~Child() override { subchannel_->unwatch(*this); }

  void watch() { subchannel_->watch(*this); }
  Subchannel& subchannel() const { return *subchannel_; }
  const std::shared_ptr<Subchannel>& shared() const { return subchannel_; }

  bool failed = false;

 private:
  void on_state(State state, EventId cause) override { list_.on_child(*this, state, cause); }

  AddressList& list_;
  std::shared_ptr<Subchannel> subchannel_;
};

std::vector<Address> interleaved(std::vector<Address> addresses) {
  std::vector<Address> ones;  // of the first one's family
  std::vector<Address> others;
  for (const Address& one : addresses) {
    (is_v6(one) == is_v6(addresses.front()) ? ones : others).push_back(one);
  }
  std::vector<Address> result;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i < ones.size()) result.push_back(std::move(ones[i]));
    if (i < others.size()) result.push_back(std::move(others[i]));
  }
  return result;
}

AddressList::AddressList(Watcher& watcher, Clock& clock,
                         std::vector<std::shared_ptr<Subchannel>> subchannels)
    : watcher_(watcher), clock_(clock) {
  for (auto& one : subchannels) {
    children_.push_back(std::make_unique<Child>(*this, std::move(one)));
  }
}

AddressList::~AddressList() = default;

void AddressList::start(EventId cause) {
  for (const auto& child : children_) child->watch();
  // One of the addresses may be connected already: it was in the list before.
  for (const auto& child : children_) {
    if (child->subchannel().state() != State::ready) continue;
    return select(*child, cause);
  }
  try_next(cause);
}

void AddressList::on_child(Child& child, State state, EventId cause) {
  if (selected_ != nullptr) {
    if (&child == selected_) watcher_.on_selected_lost(cause);
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
void AddressList::try_next(EventId cause) {
  while (next_ < children_.size()) {
    Child& child = *children_[next_++];
    switch (child.subchannel().state()) {
      case State::idle:
        // May be the end of us, where the attempt ends at once: nothing of ours after it, but
        // the timer is set before.
        set_timer(cause);
        child.shared()->request_connection(cause);
        return;
      case State::connecting: return set_timer(cause);
      default:  // TRANSIENT_FAILURE: it waits for the end of its backoff
        child.failed = true;
    }
  }
  timer_.cancel();
  maybe_all_failed(cause);
}

void AddressList::set_timer(EventId cause) {
  if (next_ >= children_.size()) return;
  timer_ = clock_.at(clock_.now() + kHappyEyeballsDelay, [this, cause] { try_next(cause); });
}

void AddressList::on_failed(Child& child, EventId cause) {
  child.failed = true;
  why_ = child.subchannel().failure();
  if (failed_) {
    // The rounds after the first: as many failures as there are addresses are one more round.
    if (++failures_ % children_.size() == 0) watcher_.on_all_failed(*this, why_, cause);
    return;
  }
  const bool was_the_last_tried = children_[next_ - 1].get() == &child;
  if (was_the_last_tried && next_ < children_.size()) return try_next(cause);
  maybe_all_failed(cause);
}

void AddressList::maybe_all_failed(EventId cause) {
  const bool all = next_ == children_.size() &&
                   std::ranges::all_of(children_, [](const auto& child) { return child->failed; });
  if (!all || failed_) return;
  failed_ = true;
  if (why_.ok()) why_ = children_.back()->subchannel().failure();
  for (const auto& child : children_)
    child->shared()->request_connection(cause);  // those that are IDLE
  watcher_.on_all_failed(*this, why_, cause);
}

void AddressList::select(Child& child, EventId cause) {
  timer_.cancel();
  selected_ = &child;
  // The others are let go: their attempts and connections end here.
  std::erase_if(children_, [&](const auto& other) { return other.get() != selected_; });
  watcher_.on_ready(*this, child.subchannel(), cause);
}

}  // namespace greetlab
