// Addresses that lead to the same, tried one after the other until one answers.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "lb/policy.h"
#include "lb/subchannel.h"

namespace greetlab {

/// Families by turns, beginning with the first address's own; in each family the order stays (gRFC
/// A61, as RFC 8305 4 has it; gRPC 1.66 and newer). Where all of one family are out of reach, the
/// next one is 250 ms away, not the whole list.
std::vector<Address> interleaved(std::vector<Address> addresses);

/// What pick_first does with its addresses (gRFC A61, A62), and any other policy with those of one
/// endpoint:
///
/// - tries them in order, `interleaved`, from one to the next when it fails, or after 250 ms (Happy
/// Eyeballs);
/// - the first READY one is selected, and the others are let go: that is the end of its work;
/// - when all have failed it says so, and goes on: each is tried again as soon as it may be.
class AddressList {
 public:
  static constexpr Duration kHappyEyeballsDelay = std::chrono::milliseconds(250);

  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void on_ready(AddressList& list, Subchannel& selected, EventId cause) = 0;
    /// Again after each round in which all have failed.
    virtual void on_all_failed(AddressList& list, const Status& why, EventId cause) = 0;
    /// The selected one has lost its connection. The list is of no more use, and may be destroyed
    /// from within.
    virtual void on_selected_lost(EventId cause) = 0;
  };

  /// @param subchannels in the order of trying. watcher, clock: outlive it.
  AddressList(Watcher& watcher, Clock& clock, std::vector<std::shared_ptr<Subchannel>> subchannels);
  ~AddressList();

  /// Begins. Apart from the constructor, so that the list is in its place when an address answers
  /// at once: one that was connected already does.
  void start(EventId cause);

  bool has_selected() const { return selected_ != nullptr; }

 private:
  class Child;

  void on_child(Child& child, ConnectivityState state, EventId cause);
  void try_next(EventId cause);
  void set_timer(EventId cause);
  void on_failed(Child& child, EventId cause);
  void maybe_all_failed(EventId cause);
  void select(Child& child, EventId cause);

  Watcher& watcher_;
  Clock& clock_;
  std::deque<std::unique_ptr<Child>> children_;  // they end in their order, see endpoint_list.cc
  std::size_t next_ = 0;                         // of `children_`: the next to try
  Timer timer_;
  Status why_;
  bool failed_ = false;  // every address has failed at least once
  std::size_t failures_ = 0;
  Child* selected_ = nullptr;
};

}  // namespace greetlab
