// The virtual cluster: a world of its own, in which nothing happens but what it is told to.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pod_options.h"
#include "core/rng.h"
#include "core/rolling_update.h"
#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "lb/channel_options.h"
#include "lb/endpoint_feed.h"
#include "sim/dns.h"
#include "sim/network.h"
#include "sim/pod.h"
#include "trace/trace.h"

namespace greetlab {

/// Each option and its default stand here and nowhere else, as those of a channel do
/// (lb/channel_options.h).
struct SimConfig {
  std::uint32_t pods = 3;
  std::uint64_t seed = 0;
  std::uint16_t port = 50051;
  std::string ip = "v4";
  Duration start_interval{};
  Duration readiness_delay{};
  Duration endpoint_lag{};
  Duration watch_lag{};
  Duration pre_stop{};
  Duration grace = std::chrono::seconds(30);
  PodOptions pod{{}, {}, Distribution(std::chrono::microseconds(100)), false};
  NetworkConfig network;
  SimDnsConfig dns;
  std::size_t trace_capacity = kTraceCapacity;

  /// Calls `f(name, member, help)` for each.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f("pods", self.pods, "how many there are at first");
    f("seed", self.seed, "of all that is random");
    f("port", self.port, "of the pods and of the services");
    f("ip", self.ip,
      "the families of its addresses: 'v4', 'v6', or 'dual': each pod and each ClusterIP has both");
    f("start_interval", self.start_interval,
      "from one pod's being ready to the next one's, of those that are made at once");
    f("readiness_delay", self.readiness_delay,
      "from a pod's start, or a change of its health, until the readiness probe has found out");
    f("endpoint_lag", self.endpoint_lag,
      "how long a pod that died, is deleted or is found unready stays listed");
    f("watch_lag", self.watch_lag,
      "from a change of the endpoints until a client that watches them (watch:///) hears of it, "
      "beside the message's own time");
    f("pre_stop", self.pre_stop, "from a pod's deletion to its SIGTERM (lifecycle.preStop)");
    f("grace", self.grace, "how long its calls may go on after that");
    f("max_connection_age", self.network.max_connection_age,
      "after which the pods send GOAWAY on a connection (gRFC A9); none: never");
    f("max_connection_age_grace", self.network.max_connection_age_grace,
      "how long the calls of an aged connection may go on; none: for ever");
    f("max_concurrent_streams", self.network.max_concurrent_streams,
      "how many calls at once the pods take on a connection; more of them wait; none: any number");
    PodOptions::each(self.pod, f);
    f("latency", self.network.latency, "of every message, one way; each is drawn from +-20 %");
    f("dns_round_trip", self.dns.round_trip,
      "from a question to its answer; each is drawn from +-20 %");
    f("dns_ttl", self.dns.ttl, "how many seconds an answer is good");
    f("dns_cache", self.dns.cache,
      "whether something between the clients and the DNS gives an answer out again for as long, "
      "however old it is by then");
    f("trace_capacity", self.trace_capacity, kTraceCapacityHelp);
  }
};

/// Pods behind a ClusterIP service (`greetserver`) and a headless one (`greetserver-headless`), and
/// the channels that call them: the very code of lb/, in a world where time is a number. The same
/// seed and the same commands give the same events, byte for byte, on every machine.
class SimCluster {
 public:
  /// @param read_config for channels that take a service config from DNS; empty: none does.
  /// @throws std::invalid_argument for more pods than there are addresses, no such families, or a
  /// pod that makes no sense.
  explicit SimCluster(SimConfig config, ReadTxtConfig read_config = nullptr);
  ~SimCluster();
  SimCluster(const SimCluster&) = delete;
  SimCluster& operator=(const SimCluster&) = delete;

  // Time.
  VirtualClock& clock() { return clock_; }

  // The pods. @throws std::invalid_argument for a pod that there is not.
  const std::list<SimPod>& pods() const { return pods_; }
  /// Adds pods, or drains the newest ones, until this many serve.
  void scale(std::uint32_t pods);
  /// The pod is gone at once: its connections are reset, and its address refuses.
  void kill(std::string_view pod);
  /// The pod's machine is gone: its connections fall silent, and its address swallows packets.
  void lose(std::string_view pod);
  /// It serves again, at the same address.
  void restart(std::string_view pod);
  /// Deletes it, as Kubernetes does: both at once it begins to be taken off the endpoints
  /// (`endpoint_lag`) and to end (`pre_stop`, then `grace`).
  void drain(std::string_view pod);
  /// Replaces the pods by new ones, within the bounds of a Deployment's rolling update. It goes on
  /// as pods become ready; another one replaces those pods, too.
  void rollout(std::uint32_t max_surge, std::uint32_t max_unavailable);
  bool rolling() const { return rolling_.has_value(); }
  /// It serves each call this much longer; 0: no more. A pod with a capacity has a place the less
  /// for as long.
  void slow(std::string_view pod, const Distribution& longer);
  /// What its health says. The readiness probe asks, and has it taken off the endpoints or put
  /// back. Its connections stay, and the calls over them go on, as they do with every client whose
  /// service config does not ask for health checks (gRFC A17).
  void set_serving(std::string_view pod, bool serving);
  /// This share of its calls fails, so.
  void fail(std::string_view pod, const Failing& failing);

  const SimConfig& config() const { return config_; }
  /// Whether an option may become another one while the world runs: what an operator can change of
  /// a cluster without another cluster, and what holds for whatever begins after that.
  static bool can_change(std::string_view option);
  /// From now on it is as `config` says, where it can change; the rest of `config` does not count.
  /// Calls that are being served, connections that are there and what is under way stay as they
  /// began.
  void change(const SimConfig& config);

  /// The DNS has this TXT record for both services' configs from now on (gRFC A2); empty: none.
  void publish_config(const std::string& record);

  // The clients.
  /// @param config its target is a service's name, which is looked up, or "watch:///" and its name:
  /// then the cluster tells it of each change (lb/watch_resolver.h). What is random comes from the
  /// cluster's seed, and what happens stands in the cluster's trace. A new client, "client-1",
  /// "client-2", ... Lives as long as the cluster, or until `close`.
  Channel& open_channel(const ChannelOptions& config);
  /// A channel like it for one call of `owner`'s: "client-1.7".
  Channel& dial_anew(const ChannelOptions& config, Symbol owner);
  void close_channel(Channel& channel);

  /// For what is random and not the cluster's.
  std::uint64_t draw_seed() { return rng_.next(); }

  SimDns& dns() { return dns_; }
  Network& network() { return network_; }
  Trace& trace() { return trace_; }
  const Recording* recording() const { return recording_ ? &*recording_ : nullptr; }
  /// Of each family one.
  const std::vector<Address>& cluster_ips() const { return cluster_ips_; }

 private:
  Channel& open(const ChannelOptions& config, std::string who);
  Channel::MakeResolver looked_up(const ChannelOptions& config);
  SimPod& find(std::string_view pod);
  /// Those that are meant to serve: neither dead nor on their way out.
  std::vector<SimPod*> meant_to_serve();
  void add_pods(std::uint32_t count);
  void start(SimPod& pod, EventId started, Duration until_ready);
  void probe_after(SimPod& pod, Duration delay, EventId cause);
  void probe(SimPod& pod, EventId cause);
  void remove(SimPod& pod, EventId cause);
  void end(SimPod& pod, EventId cause);
  void roll(EventId cause);
  void delist_after_lag(SimPod& pod, EventId cause);
  void delist(SimPod& pod, EventId cause);
  void publish(EventId cause);
  std::optional<std::vector<SliceEndpoint>> slice_endpoints(std::string_view service) const;
  EventId tell(const SimPod& pod, std::string_view change, EventId cause = EventId::none);

  SimConfig config_;
  const ReadTxtConfig read_config_;
  VirtualClock clock_;
  Rng rng_;
  Trace trace_;
  std::optional<Recording> recording_;
  SimDns dns_;
  Network network_;
  EndpointFeed feed_;
  const std::vector<Address> cluster_ips_;
  const Symbol who_;
  std::list<SimPod> pods_;  // a list never moves what it holds
  std::uint32_t pods_made_ = 0;
  std::uint32_t revision_ = 0;  // of the template; each rollout makes another
  std::optional<RollingUpdate> rolling_;
  std::uint32_t channels_made_ = 0;
  std::map<Symbol, std::uint32_t> dialled_anew_;  // for which client how often
  std::list<Channel> channels_;
  std::vector<Timer> later_;
};

}  // namespace greetlab
