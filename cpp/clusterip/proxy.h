// The ClusterIP: one virtual address in front of many pods.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "clusterip/proxy_fact.h"
#include "core/address.h"
#include "core/time.h"

namespace greetlab {

/// Stands in for kube-proxy's rules, in user space: each connection to the virtual address goes to
/// one endpoint chosen at random, and stays there. It never looks inside, so requests that share a
/// connection share its pod. As with kube-proxy,
///
/// - the choice is made once per *connection*, and not made again when the endpoint does not
/// answer;
/// - new endpoints concern new connections only: established ones live on, as conntrack has it;
/// - the end of one direction (FIN) passes through while the other goes on, and so does a reset.
///
/// What differs, because a user-space proxy must accept a connection before it can route it: where
/// kube-proxy has no endpoint (REJECT), or the pod refuses, the client's connect itself is refused.
/// Here the connect succeeds, and a reset follows, as it does, minutes later, when the kernel gives
/// up on a pod that swallows packets. And the pod sees the proxy as its peer.
///
/// Runs on a thread of its own, from the constructor to the destructor.
class Proxy {
 public:
  /// Binds `listen` (port 0: any free one), and accepts from then on. The same `seed` and endpoints
  /// give the same sequence of choices.
  ///
  /// @param affinity sessionAffinity: ClientIP, for so long after a client's last connection;
  ///     nothing: each connection is free.
  /// @throws std::invalid_argument when an ip is not an IP address.
  /// @throws std::system_error naming the attempt, when the address cannot be had: "listen on
  ///     127.0.0.1:50051: Address already in use".
  Proxy(const Address& listen, std::vector<Address> endpoints, std::uint64_t seed,
        std::optional<Duration> affinity, ProxySink sink);

  /// Cuts every connection, without further facts.
  ~Proxy();

  /// Replaces the endpoints, soon: the ProxyEndpoints fact says when. From any thread.
  ///
  /// @throws std::invalid_argument when an ip is not an IP address: then all stays as it was.
  void set_endpoints(std::vector<Address> endpoints);

 private:
  class Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace greetlab
