// Whether the server at the other end of a connection is still there (gRFC A8).
#pragma once

#include <utility>

#include "core/clock.h"

namespace greetlab {

struct KeepaliveConfig {
  /// After so long without a byte from the server it is sent a PING. 0: never. Taken as it is, as
  /// gRPC's C-core takes it (chttp2_transport.cc: at least 1 ms); A8, grpc-go and C-core's next
  /// transport (http2_client_transport.cc) make it 10 s where it is less.
  Duration time{};
  /// And after so long without one from then on the connection is dead.
  Duration timeout = std::chrono::seconds(20);
  /// Also while no call is in flight.
  bool without_calls = false;
};

/// Asks one connection's server, from its birth to its end. Lives on the clock's thread; costs
/// nothing while nobody calls, and one look at the clock for what comes.
///
/// Of what comes each byte counts, not the PING's answer only (A8). gRPC's C-core stops after two
/// pings with no headers or data sent between them (GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA), which
/// its own doc/keepalive.md says does not agree with A8: here there is no such end.
class Keepalive {
 public:
  /// The connection. Nothing in it is called before what asked for it has returned, but for `ping`.
  class Peer {
   public:
    virtual ~Peer() = default;
    /// Whether calls are in flight.
    virtual bool has_calls() const = 0;
    /// Send a PING.
    virtual void ping() = 0;
    /// Nothing has come since: the connection is dead. May destroy this.
    virtual void on_silence() = 0;
  };

  /// Clock and peer outlive it.
  Keepalive(Clock& clock, const KeepaliveConfig& config, Peer& peer)
      : clock_(clock), config_(config), peer_(peer) {}

  const KeepaliveConfig& config() const { return config_; }

  /// The connection is up.
  void start() {
    if (config_.time.count() > 0) wait();
  }

  /// Bytes have come.
  void heard() {
    if (config_.time.count() == 0) return;
    heard_ = clock_.now();
    if (asked_) wait();
  }

  /// The connection is over.
  void stop() {
    timer_.cancel();
    asked_ = dormant_ = false;
  }

  /// A call has begun, and is in flight. Where the time to ask has long come it is now, not `time`
  /// from now (A8).
  void call_begins() {
    if (std::exchange(dormant_, false)) look();
  }

 private:
  void wait() {
    heard_ = clock_.now();
    asked_ = false;
    look_at(heard_ + config_.time);
  }

  void look_at(Time when) {
    timer_ = clock_.at(when, [this] { look(); });
  }

  void look() {
    // Something has come meanwhile: that it was not told to the clock each time is what makes it
    // cheap.
    if (const Time due = heard_ + config_.time; due > clock_.now()) return look_at(due);
    if (config_.without_calls || peer_.has_calls()) return ask();
    dormant_ = true;
  }

  void ask() {
    asked_ = true;
    timer_ = clock_.at(clock_.now() + config_.timeout, [this] { peer_.on_silence(); });
    peer_.ping();
  }

  Clock& clock_;
  const KeepaliveConfig config_;
  Peer& peer_;
  Time heard_{};
  Timer timer_;
  bool asked_ = false;    // and not heard
  bool dormant_ = false;  // it is time to ask, and nobody calls
};

}  // namespace greetlab
