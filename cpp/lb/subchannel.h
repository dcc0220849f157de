// One address, and the connection to it, as a policy and its pickers see it.
#pragma once

#include "core/address.h"
#include "core/connectivity.h"
#include "core/status.h"
#include "trace/trace.h"

namespace greetlab {

class Link;

/// The state machine of client_channel_specification.md:
///
///     IDLE -> CONNECTING -> READY -> IDLE
///                        -> TRANSIENT_FAILURE -> IDLE      (when the backoff ends)
///
/// It connects only when it is asked to, once: after a loss or a backoff it is IDLE, and whoever
/// wants the connection back has to ask again.
///
/// The channel's own are PooledSubchannels. A policy gives its child others in their place, to see
/// what the child does with them or to show it other states (gRPC: `SubchannelInterface`).
class Subchannel {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// @param cause the state's event.
    virtual void on_state(ConnectivityState state, EventId cause) = 0;
  };

  virtual ~Subchannel() = default;

  virtual SubchannelId id() const = 0;
  virtual const Address& address() const = 0;
  virtual ConnectivityState state() const = 0;
  /// Why it is in TRANSIENT_FAILURE.
  virtual const Status& failure() const = 0;
  /// The connection, which a call that was picked for it goes to; nullptr unless READY.
  virtual Link* connection() const = 0;

  /// Tells `watcher` of every change from now on, until `unwatch`. Its state now it can ask.
  virtual void watch(Watcher& watcher) = 0;
  virtual void unwatch(Watcher& watcher) = 0;

  /// IDLE: begins to connect. In any other state: nothing.
  virtual void request_connection(EventId cause) = 0;
};

}  // namespace greetlab
