// A pretend network: connections between clients and pods, with a ClusterIP between them or not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/endpoint_pick.h"
#include "core/rng.h"
#include "lb/connector.h"
#include "sim/pod.h"
#include "trace/trace.h"

namespace greetlab {

struct NetworkConfig {
  /// One way, per message; each is drawn from +-20 %.
  Duration latency = std::chrono::microseconds(250);
  /// How long TCP sends again what nobody acknowledges: Linux's tcp_retries2 of 15, as it was
  /// measured with packets dropped, for this core, gRPC C++ and grpcio alike.
  Duration tcp_patience = std::chrono::seconds(948);
  /// gRFC A9; nothing: connections live for ever.
  std::optional<Duration> max_connection_age;
  /// How many calls at once the pods take on a connection (RFC 9113 5.1.2); nothing: any number.
  std::optional<std::uint32_t> max_concurrent_streams;
  /// How long the calls of an aged or draining connection may go on; nothing: for ever.
  std::optional<Duration> max_connection_age_grace;
};

/// What a simulated call carries: nothing. It can only be given up.
class SimCall final : public SubchannelCall {
 public:
  void cancel() override {
    if (give_up) give_up();
  }
  std::unique_ptr<SubchannelCall> another() const override { return std::make_unique<SimCall>(); }
  Task give_up;  ///< Set while the call is on a connection.
};

/// Every connection of the virtual world, and what happens to it.
class Network final : public Connector {
 public:
  /// All of them outlive it.
  Network(Clock& clock, Rng& rng, Trace& trace, NetworkConfig config);

  /// For connections that are made from now on.
  void change(const NetworkConfig& config) { config_ = config; }
  ~Network() override;

  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override;

  // The machines.
  void add(SimPod& pod);
  /// The virtual address of a ClusterIP: each connection to it is routed to one of its endpoints.
  void add_cluster_ip(const Address& address);
  void set_endpoints(const Address& cluster_ip, std::vector<Address> endpoints);

  // What happens to a pod's connections. Each follows from an event.
  /// They are reset; calls in flight fail.
  void reset_connections(const SimPod& pod, EventId cause);
  /// GOAWAY: no new calls; those in flight have `grace` to end.
  void drain_connections(const SimPod& pod, std::optional<Duration> grace, EventId cause);
  /// Who watches its health hears how it is now.
  void tell_health(const SimPod& pod, EventId cause);
  /// Nothing comes back any more: the client finds out when TCP gives up, if it sends anything.
  void silence_connections(const SimPod& pod);

  /// What a message takes, one way.
  Duration one_way();

  /// Connections that the pods accepted, ever.
  std::uint64_t opened() const { return opened_; }

 private:
  class Attempt;
  class Connection;

  SimPod* pod_at(const Address& address);
  std::shared_ptr<Connection> open(ConnectionId id, const Dial& dial, SimPod& pod,
                                   Link::Watcher& watcher);
  std::vector<std::shared_ptr<Connection>> connections_of(const SimPod& pod);

  Clock& clock_;
  Rng& rng_;
  Trace& trace_;
  NetworkConfig config_;
  std::map<Address, SimPod*> pods_;  // by each of its addresses
  std::map<Address, EndpointPick> cluster_ips_;
  std::uint64_t opened_ = 0;
  std::map<const SimPod*, std::vector<std::weak_ptr<Connection>>> connections_;
};

}  // namespace greetlab
