// Real connections: a socket that we connect, and HTTP/2 on top of it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "lb/connector.h"
#include "live/loop.h"
#include "live/tls.h"

namespace greetlab {

/// The live world's connector. All that it says of a connection it has seen:
/// - *Connected*: the server's SETTINGS have come. An attempt that gets none until its deadline has
///   failed.
/// - *ConnectionLost*, `graceful` yes: a GOAWAY has come. The connection takes no new calls, lets
///   those in flight end, and hangs up. `graceful` no: it ended without one.
/// - *PingSent*, *PingAnswered*: keepalive (`lb/keepalive.h`). *PingUnanswered*: there was none, so
///   the connection is closed, and lost. With keepalive, what was sent may stay unacknowledged for
///   its timeout (TCP_USER_TIMEOUT, gRFC A18): then it is lost with the kernel's ETIMEDOUT.
/// - *Unsent*: a call of which not a byte has left us, or of which the server says that it has not
///   looked at it (REFUSED_STREAM, or a GOAWAY whose last stream is before it). The latter once a
///   call (gRFC A6).
/// - *StreamAwaited*, after its pick: the server takes no more calls at once on this connection; it
///   is sent when another one ends.
class LiveConnector final : public Connector {
 public:
  /// Loop and trace outlive it.
  /// @param authority what the calls say they are for (:authority, RFC 9113 8.3.1): the target's
  /// name.
  /// @param tls nullptr: none. Then there is a *TlsHandshake* before *Connected*.
  /// @param source_ip from which address to connect; empty: the kernel chooses.
  /// @param frames whether every frame is a fact.
  /// @throws std::invalid_argument for a source that is no IP address.
  LiveConnector(Loop& loop, Trace& trace, std::string authority,
                std::unique_ptr<const TlsClient> tls, std::string source_ip, bool frames);

  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override;

  /// The cluster has ended a pod, and said so before it did: what its connections suffer from now
  /// on follows from `event`.
  /// @param pod by its name, for connections that do not know its address (a ClusterIP's).
  void pod_ends(Symbol pod, const std::string& ip, EventId event);

  /// Our end of a connection that one of these made: "127.0.0.1:40312".
  static std::string local_address(const Link& link);

 private:
  class Connection;
  class Handle;

  Loop& loop_;
  Trace& trace_;
  const std::string authority_;
  const std::unique_ptr<const TlsClient> tls_;
  const std::string source_ip_;
  const bool frames_;
  std::unordered_map<Symbol, EventId> ended_pods_;
  std::unordered_map<std::string, EventId> ended_ips_;
};

}  // namespace greetlab
