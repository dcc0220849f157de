// One address at a time: the first that answers gets every call.
#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "lb/policies/address_list.h"
#include "lb/policies/registry.h"

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
/// - tries the addresses of all endpoints in order (`AddressList`), or the endpoints shuffled (A62;
///   gRPC 1.56 and newer), IPv6 and IPv4 by turns (A61; gRPC 1.66 and newer);
/// - after 250 ms without an answer the next one is tried as well (A61; gRPC 1.66 and newer);
/// - the first READY one is selected, and the others are let go;
/// - when it is lost the channel is IDLE: nothing happens until somebody calls;
/// - when all have failed: TRANSIENT_FAILURE, which is sticky, and the attempts go on.
///
/// Of an update that lacks the selected address, and of an empty one while it is IDLE, it makes
/// what gRPC 1.51 made: the old connection stays until something in the new list is READY or all of
/// it has failed; the empty list is TRANSIENT_FAILURE. The newest C-core (pick_first.cc, 1.84) lets
/// go of the connection, is IDLE and asks for a re-resolution; and stays IDLE over an empty list.
class PickFirst final : public LbPolicy, public AddressList::Watcher {
 public:
  PickFirst(PolicyHelper& helper, Clock& clock, bool shuffle);
  ~PickFirst() override;

  bool update(const Resolution& update, EventId cause) override;
  void exit_idle(EventId cause) override;

 private:
  // AddressList::Watcher
  void on_ready(AddressList& list, Subchannel& selected, EventId cause) override;
  void on_all_failed(AddressList& list, const Status& why, EventId cause) override;
  void on_selected_lost(EventId cause) override;

  void try_addresses(EventId cause);
  /// The pending list is the current one from now on; `cause` becomes the event that says so.
  /// @return the list that was, to be kept until its picker is replaced.
  std::unique_ptr<AddressList> swap_lists(std::string_view reason, EventId& cause);
  void fail(const Status& why, EventId cause);

  PolicyHelper& helper_;
  Clock& clock_;
  const bool shuffle_;
  std::vector<Address> addresses_;        // the latest list that was not empty
  std::uint32_t lists_ = 0;               // ever; the pending one is the last of them
  std::unique_ptr<AddressList> current_;  // holds the selected subchannel, or is being tried
  std::unique_ptr<AddressList> pending_;  // is being tried while `current_` has a selected one
  bool idle_ = false;
  bool failed_ = false;  // TRANSIENT_FAILURE, until something is READY
};

PickFirst::PickFirst(PolicyHelper& helper, Clock& clock, bool shuffle)
    : helper_(helper), clock_(clock), shuffle_(shuffle) {}

PickFirst::~PickFirst() = default;

bool PickFirst::update(const Resolution& update, EventId cause) {
  // A resolver's error with a list in hand keeps the list.
  if (!update.status.ok() && !addresses_.empty()) return false;
  if (update.endpoints.empty()) {
    // An empty list replaces the one in use at once, and is no list to try again with.
    addresses_.clear();
    current_.reset();
    pending_.reset();
    idle_ = false;
    fail(update.status.ok() ? Status{Code::unavailable, "empty address list"} : update.status,
         cause);
    return false;
  }
  std::vector<Endpoint> endpoints = update.endpoints;
  if (shuffle_) {
    for (std::size_t left = endpoints.size(); left > 1; --left) {  // Fisher and Yates
      std::swap(endpoints[left - 1], endpoints[helper_.rng().below(left)]);
    }
  }
  addresses_ = interleaved(addresses_of(endpoints));
  if (!idle_) try_addresses(cause);  // else when somebody calls
  return true;
}

void PickFirst::exit_idle(EventId cause) {
  if (!idle_) return;
  idle_ = false;
  try_addresses(cause);
}

void PickFirst::try_addresses(EventId cause) {
  Trace& trace = helper_.trace();
  const auto id = static_cast<ListId>(++lists_);
  const bool pending = current_ && current_->has_selected();
  const EventId taken = trace.emit(helper_.who(), cause, [&] {
    return AddressListTaken{id, trace.symbol(to_string(addresses_)),
                            static_cast<std::uint32_t>(addresses_.size()), pending};
  });
  // Whether they are healthy it does not ask (gRFC A17: it could but hang up, and dial again).
  std::vector<std::shared_ptr<Subchannel>> subchannels;
  for (const Address& one : addresses_) subchannels.push_back(helper_.subchannel(one, taken));
  auto list = std::make_unique<AddressList>(*this, clock_, std::move(subchannels));
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

void PickFirst::on_ready(AddressList& list, Subchannel& selected, EventId cause) {
  std::unique_ptr<AddressList> old;  // until its picker is replaced
  if (&list == pending_.get()) old = swap_lists("the new list has a READY subchannel", cause);
  failed_ = false;
  helper_.publish(State::ready, std::make_unique<PickFirstPicker>(selected), {}, cause);
}

void PickFirst::on_all_failed(AddressList& list, const Status& why, EventId cause) {
  std::unique_ptr<AddressList> old;
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
  std::unique_ptr<AddressList> old;  // its subchannel is telling us: it goes when this returns
  if (pending_) {
    old = swap_lists("the selected connection was lost", cause);
    helper_.publish(State::connecting, std::make_unique<QueuePicker>(), {}, cause);
  } else {
    idle_ = true;
    old = std::move(current_);
    helper_.publish(State::idle, std::make_unique<QueuePicker>(), {}, cause);
  }
}

std::unique_ptr<AddressList> PickFirst::swap_lists(std::string_view reason, EventId& cause) {
  std::unique_ptr<AddressList> old = std::exchange(current_, std::move(pending_));
  Trace& trace = helper_.trace();
  cause = trace.emit(helper_.who(), cause, [&] {
    return ListSwapped{static_cast<ListId>(lists_), trace.symbol(reason)};
  });
  return old;
}

void PickFirst::fail(const Status& why, EventId cause) {
  failed_ = true;
  helper_.publish(State::transient_failure, std::make_unique<FailPicker>(why), why, cause);
}

}  // namespace

PolicyType pick_first() {
  return {.name = "pick_first",
          .fields = {{"shuffleAddressList", 0, 0, 1, FieldUnit::truth}},
          .make = [](const PolicyConfig& config, PolicyHelper& helper, Clock& clock) {
            const bool shuffle = config.fields.at("shuffleAddressList") != 0;
            return std::make_unique<PickFirst>(helper, clock, shuffle);
          }};
}

}  // namespace greetlab
