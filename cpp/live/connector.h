// Real connections: a socket that we connect, and gRPC's HTTP/2 on top of it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "lb/connector.h"
#include "live/loop.h"
#include "live/sockets.h"

namespace greetlab {

/// The live world's connector. One gRPC channel for one socket
/// (`CreateCustomInsecureChannelFromFd`), so gRPC never redials behind our back: which connections
/// there are, and when one is tried again, is the core's to decide.
///
/// What can be known of a connection, and how:
/// - *Connected*: the server has answered a first question (`grpc.health.v1.Health/Check`, with
///   whatever it thinks of it). gRPC does not show that the SETTINGS frame has come; an answer
///   cannot come before it. An attempt that gets none until its deadline has failed.
/// - *ConnectionLost*: the kernel says that the other side sends no more, or gRPC refuses a call
///   because of a GOAWAY.
/// - `graceful`, inferred: `yes` where gRPC spoke of a GOAWAY; `no` where calls in flight broke
/// off;
///   otherwise it is unknown, because a server that ends an idle connection in order and one that
///   dies look alike from here.
class LiveConnector final : public Connector {
 public:
  /// All of them outlive it.
  /// @param authority what the calls say they are for (:authority, RFC 9113 8.3.1): the target's
  /// name.
  LiveConnector(Loop& loop, Sockets& sockets, Trace& trace, std::string authority);

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
  Sockets& sockets_;
  Trace& trace_;
  const grpc::ChannelArguments arguments_;
  const std::string authority_;
  std::unordered_map<Symbol, EventId> ended_pods_;
  std::unordered_map<std::string, EventId> ended_ips_;
};

}  // namespace greetlab
