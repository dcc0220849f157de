// One address at a time: the first that answers gets every call.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "lb/policy.h"
#include "lb/subchannel.h"

namespace greetlab {

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

  bool update(const PolicyUpdate& update, EventId because) override;
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

}  // namespace greetlab
