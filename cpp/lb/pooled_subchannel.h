// A subchannel of the channel's own: the connection made, lost, made again after a while.
#pragma once

#include <cstdint>
#include <memory>

#include "core/clock.h"
#include "lb/backoff.h"
#include "lb/connector.h"
#include "lb/subchannel.h"
#include "lb/watchers.h"

namespace greetlab {

/// Dials through the world's connector, with a backoff of its own. Made by a SubchannelPool.
class PooledSubchannel final : public Subchannel,
                               public std::enable_shared_from_this<PooledSubchannel>,
                               private Link::Watcher {
 public:
  using StateWatcher = Subchannel::Watcher;

  /// What it needs of the world. All of them outlive it.
  struct Ports {
    Clock& clock;
    Connector& connector;
    Rng& rng;
    Trace& trace;
    Symbol who;  ///< The channel, in the trace.
    /// The channel's: a server that finds its pings too many has all its subchannels ask less.
    KeepaliveConfig& keepalive;
  };

  /// An attempt gets at least this long, however short the backoff (connection-backoff.md).
  static constexpr Duration kMinConnectTimeout = std::chrono::seconds(20);

  PooledSubchannel(Ports ports, SubchannelId id, Address address, EventId cause);
  ~PooledSubchannel() override;

  SubchannelId id() const override { return id_; }
  const Address& address() const override { return address_; }
  ConnectivityState state() const override { return state_; }
  const Status& failure() const override { return failure_; }
  Link* connection() const override {
    return state_ == ConnectivityState::ready ? link_.get() : nullptr;
  }

  void watch(StateWatcher& watcher) override;
  void unwatch(StateWatcher& watcher) override;
  void request_connection(EventId cause) override;

 private:
  void on_connected(EventId cause) override;
  void on_connect_failed(const Status& why, EventId cause) override;
  void on_lost(EventId cause) override;
  void on_too_many_pings(Duration time, EventId cause) override;

  EventId become(ConnectivityState state, EventId cause, const Status& why = {});

  // What every pick reads. Near the beginning, they come with one line of the cache: of thousands
  // of subchannels none is in the nearest one.
  ConnectivityState state_ = ConnectivityState::idle;
  std::unique_ptr<Link> link_;
  const SubchannelId id_;
  Ports ports_;
  const Address address_;
  Status failure_;
  Backoff backoff_;
  Time next_attempt_{};  // not before then
  std::uint32_t attempts_ = 0;
  Timer timer_;
  Watchers<StateWatcher> watchers_;
};

}  // namespace greetlab
