// One address, and the connection to it: made, lost, made again after a while.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "lb/backoff.h"
#include "lb/connector.h"

namespace greetlab {

/// The state machine of client_channel_specification.md:
///
///     IDLE -> CONNECTING -> READY -> IDLE
///                        -> TRANSIENT_FAILURE -> IDLE      (when the backoff ends)
///
/// It connects only when it is asked to, once: after a loss or a backoff it is IDLE, and whoever
/// wants the connection back has to ask again.
class Subchannel final : public std::enable_shared_from_this<Subchannel>, private Link::Watcher {
 public:
  /// What it needs of the world. All of them outlive it.
  struct World {
    Clock& clock;
    Connector& connector;
    Rng& rng;
    Trace& trace;
    Symbol who;  ///< The channel, in the trace.
  };

  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// @param cause the state's event.
    virtual void on_state(ConnectivityState state, EventId cause) = 0;
  };

  /// An attempt gets at least this long, however short the backoff (connection-backoff.md).
  static constexpr Duration kMinConnectTimeout = std::chrono::seconds(20);

  Subchannel(World world, SubchannelId id, Address address, EventId because);
  ~Subchannel() override;

  SubchannelId id() const { return id_; }
  const Address& address() const { return address_; }
  ConnectivityState state() const { return state_; }
  /// Why it is in TRANSIENT_FAILURE.
  const Status& failure() const { return failure_; }
  /// The connection; nullptr unless READY.
  Link* connection() const { return state_ == ConnectivityState::ready ? link_.get() : nullptr; }

  /// Tells `watcher` of every change from now on, until `unwatch`. Its state now it can ask.
  void watch(Watcher& watcher);
  void unwatch(Watcher& watcher);

  /// IDLE: begins to connect. In any other state: nothing.
  void connect(EventId because);

 private:
  void on_connected(EventId cause) override;
  void on_connect_failed(const Status& why, EventId cause) override;
  void on_lost(EventId cause) override;

  EventId become(ConnectivityState state, EventId because, const Status& why = {});

  World world_;
  // What every pick reads. Side by side, they come with one line of the cache: of thousands of
  // subchannels none is in the nearest one.
  ConnectivityState state_ = ConnectivityState::idle;
  std::unique_ptr<Link> link_;
  const SubchannelId id_;
  const Address address_;
  Status failure_;
  Backoff backoff_;
  Time next_attempt_{};  // not before then
  std::uint32_t attempts_ = 0;
  Timer timer_;
  std::vector<Watcher*> watchers_;  // nullptr: went while we were telling
  bool telling_ = false;
};

}  // namespace greetlab
