// A subchannel that shows another state than the one that it stands before.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "lb/delegating_subchannel.h"
#include "lb/watchers.h"

namespace greetlab {

/// Hears of every state of what it wraps, and decides what its own watchers see of it. Unless it
/// shows READY there is no connection to be had from it.
class VeiledSubchannel : public DelegatingSubchannel,
                         public std::enable_shared_from_this<VeiledSubchannel>,
                         private Subchannel::Watcher {
 public:
  using StateWatcher = Subchannel::Watcher;

  /// Shows the state that there is.
  explicit VeiledSubchannel(std::shared_ptr<Subchannel> wrapped)
      : DelegatingSubchannel(std::move(wrapped)), shown_(this->wrapped().state()) {
    this->wrapped().watch(*this);
  }
  ~VeiledSubchannel() override { wrapped().unwatch(*this); }
  VeiledSubchannel(const VeiledSubchannel&) = delete;
  VeiledSubchannel& operator=(const VeiledSubchannel&) = delete;

  ConnectivityState state() const final { return shown_; }
  const Status& failure() const final { return failure_ ? *failure_ : wrapped().failure(); }
  Link* connection() const final {
    return shown_ == ConnectivityState::ready ? wrapped().connection() : nullptr;
  }
  void watch(StateWatcher& watcher) final { watchers_.add(watcher); }
  void unwatch(StateWatcher& watcher) final { watchers_.remove(watcher); }

 protected:
  /// What is wrapped is in this state now.
  void on_state(ConnectivityState state, EventId cause) override = 0;

  /// To begin with, before anybody watches it.
  void begin_with(ConnectivityState state) { shown_ = state; }
  /// Shows the state that there is.
  void unveil(EventId cause) {
    failure_.reset();
    show(wrapped().state(), cause);
  }
  /// Shows a failure that is none of the connection's.
  void show_failure(Status why, EventId cause) {
    failure_ = std::move(why);
    show(ConnectivityState::transient_failure, cause);
  }
  /// May be the end of it, where nobody wants it any more.
  void show(ConnectivityState state, EventId cause) {
    const auto self = shared_from_this();
    shown_ = state;
    watchers_.tell([&](StateWatcher& watcher) { watcher.on_state(state, cause); });
  }

 private:
  ConnectivityState shown_;
  std::optional<Status> failure_;  // of ours
  Watchers<StateWatcher> watchers_;
};

}  // namespace greetlab
