#include "sim/cluster.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "core/misuse.h"
#include "lb/polling_resolver.h"
#include "lb/watch_resolver.h"
#include "sim/pod_server.h"

namespace greetlab {
namespace {

constexpr std::string_view kClusterIpService = "greetserver";
constexpr std::string_view kHeadlessService = "greetserver-headless";
constexpr std::array kServices{kClusterIpService, kHeadlessService};
constexpr std::string_view kWatch = "watch:///";
constexpr std::uint32_t kMostPods = 10'000;

/// An address in each of the families, the first of which is the primary one. Their IPv6 prefixes
/// are those that kind has by default, and unique local (RFC 4193), as most clusters' are.
std::vector<Address> addresses(const SimConfig& config, std::string v4, std::string v6) {
  if (config.ip == "v4") return {{std::move(v4), config.port}};
  if (config.ip == "v6") return {{std::move(v6), config.port}};
  if (config.ip == "dual") return {{std::move(v4), config.port}, {std::move(v6), config.port}};
  misuse({"ip '", config.ip, "': it is 'v4', 'v6' or 'dual'"});
}

std::string hex(std::uint32_t number) {
  std::array<char, 8> digits;
  return {digits.data(),
          std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr};
}

std::vector<Address> pod_addresses(const SimConfig& config, std::uint32_t n) {
  const std::uint32_t node = n / 250;
  const std::uint32_t host = n % 250 + 2;
  return addresses(config, "10.244." + std::to_string(node) + "." + std::to_string(host),
                   "fd00:10:244:" + (node > 0 ? hex(node) + ":" : "") + ":" + hex(host));
}

/// Its service is of one family, the primary one.
SimDnsConfig dns_config(const SimConfig& config) {
  SimDnsConfig dns = config.dns;
  dns.server = {addresses(config, "10.96.0.10", "fd00:10:96::a").front().ip, dns.server.port};
  return dns;
}

std::string full_name(std::string_view service) {
  return std::string(service) + ".default.svc.cluster.local";
}

}  // namespace

SimCluster::SimCluster(SimConfig config, ReadTxtConfig read_config)
    : config_(std::move(config)),
      read_config_(std::move(read_config)),
      rng_(config_.seed),
      trace_(clock_),
      dns_(clock_, rng_, trace_, dns_config(config_)),
      network_(clock_, rng_, trace_, config_.network),
      feed_(
          clock_, [this](const std::string& service) { return slice_endpoints(service); },
          [this] { return config_.watch_lag + network_.one_way(); }),
      cluster_ips_(addresses(config_, "10.96.0.1", "fd00:10:96::1")),
      who_(trace_.symbol("cluster")) {
  if (config_.trace_capacity > 0) {
    recording_.emplace(config_.trace_capacity);
    trace_.listen(&*recording_);
  }
  config_.pod.check();
  for (const Address& address : cluster_ips_) network_.add_cluster_ip(address);
  scale(config_.pods);
  if (config_.pods == 0) publish(EventId::none);  // the services are there all the same
}

bool SimCluster::can_change(std::string_view option) {
  static constexpr std::array<std::string_view, 12> kCan{
      "start_interval", "readiness_delay", "endpoint_lag",       "watch_lag",
      "pre_stop",       "grace",           "service_time",       "dns_round_trip",
      "dns_ttl",        "dns_cache",       "max_connection_age", "max_connection_age_grace"};
  return std::ranges::find(kCan, option) != kCan.end();
}

void SimCluster::change(const SimConfig& config) {
  config_.start_interval = config.start_interval;
  config_.readiness_delay = config.readiness_delay;
  config_.endpoint_lag = config.endpoint_lag;
  config_.watch_lag = config.watch_lag;
  config_.pre_stop = config.pre_stop;
  config_.grace = config.grace;
  config_.pod.service_time = config.pod.service_time;
  for (SimPod& pod : pods_) pod.service_time = config.pod.service_time;
  config_.dns.round_trip = config.dns.round_trip;
  config_.dns.ttl = config.dns.ttl;
  config_.dns.cache = config.dns.cache;
  dns_.change(dns_config(config_));
  config_.network.max_connection_age = config.network.max_connection_age;
  config_.network.max_connection_age_grace = config.network.max_connection_age_grace;
  network_.change(config_.network);
}

SimCluster::~SimCluster() {
  trace_.listen(nullptr);  // the end of the world is nobody's event
  channels_.clear();
}

std::vector<SimPod*> SimCluster::meant_to_serve() {
  std::vector<SimPod*> found;
  for (SimPod& pod : pods_) {
    if (pod.state == PodState::starting || pod.state == PodState::serving) found.push_back(&pod);
  }
  return found;
}

void SimCluster::scale(std::uint32_t pods) {
  if (pods > kMostPods) {
    misuse(
        {std::to_string(pods), " pods: a virtual cluster has at most ", std::to_string(kMostPods)});
  }
  if (rolling_) rolling_->replicas = pods;
  const std::vector<SimPod*> there = meant_to_serve();
  if (pods > there.size()) add_pods(pods - static_cast<std::uint32_t>(there.size()));
  for (std::size_t i = pods; i < there.size(); ++i) drain(there[i]->name);
}

void SimCluster::add_pods(std::uint32_t count) {
  EventId last = EventId::none;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t n = pods_made_++;
    SimPod& pod = pods_.emplace_back();
    pod.name = "pod-" + std::to_string(n + 1);
    pod.addresses = pod_addresses(config_, n);
    pod.who = trace_.symbol(pod.name);
    pod.service_time = config_.pod.service_time;
    if (config_.pod.capacity || config_.pod.load_reports) {
      pod.server = std::make_unique<PodServer>(clock_, rng_, trace_, pod, config_.pod);
    }
    pod.revision = revision_;
    network_.add(pod);
    last = tell(pod, "started");
    start(pod, last, config_.readiness_delay + i * config_.start_interval);
  }
  publish(last);
}

void SimCluster::start(SimPod& pod, EventId started, Duration until_ready) {
  const bool at_once = until_ready.count() == 0;
  ++pod.starts;
  pod.state = at_once ? PodState::serving : PodState::starting;
  pod.healthy = true;
  pod.ready = at_once;
  pod.told_to_end = false;
  if (at_once) {
    pod.listed = true;
  } else {
    pod.listed = false;
    probe_after(pod, until_ready, started);
  }
}

void SimCluster::probe_after(SimPod& pod, Duration delay, EventId cause) {
  if (delay.count() == 0) return probe(pod, cause);
  later_.push_back(clock_.at(clock_.now() + delay, [this, &pod, cause, life = pod.starts] {
    if (pod.starts == life) probe(pod, cause);
  }));
}

// What the readiness probe finds, and what follows from it.
void SimCluster::probe(SimPod& pod, EventId cause) {
  const bool runs = pod.state == PodState::starting || pod.state == PodState::serving;
  if (!runs || pod.ready == pod.healthy) return;
  pod.ready = pod.healthy;
  if (config_.readiness_delay.count() > 0 || pod.state == PodState::starting) {
    cause = tell(pod, pod.ready ? "ready" : "unready", cause);
  }
  if (pod.ready) {
    pod.state = PodState::serving;
    if (!std::exchange(pod.listed, true)) publish(cause);
  } else {
    delist_after_lag(pod, cause);
  }
  roll(cause);
}

void SimCluster::kill(std::string_view name) {
  SimPod& pod = find(name);
  pod.state = PodState::dead;
  if (pod.server) pod.server->kill();
  const EventId killed = tell(pod, "killed");
  network_.reset_connections(pod, killed);
  delist_after_lag(pod, killed);
  roll(killed);
}

void SimCluster::lose(std::string_view name) {
  SimPod& pod = find(name);
  pod.state = PodState::lost;
  if (pod.server) pod.server->kill();
  const EventId lost = tell(pod, "lost");
  network_.silence_connections(pod);
  delist_after_lag(pod, lost);
  roll(lost);
}

void SimCluster::restart(std::string_view name) {
  SimPod& pod = find(name);
  if (pod.state != PodState::dead && pod.state != PodState::lost) kill(name);
  pod.serial = 0;
  const bool was_listed = pod.listed;
  const EventId started = tell(pod, "started");
  start(pod, started, config_.readiness_delay);
  if (pod.listed != was_listed) publish(started);
}

void SimCluster::drain(std::string_view name) {
  SimPod& pod = find(name);
  remove(pod, EventId::none);
  roll(EventId::none);
}

void SimCluster::remove(SimPod& pod, EventId cause) {
  if (pod.state != PodState::serving && pod.state != PodState::starting) return;
  pod.state = PodState::draining;
  const EventId draining = tell(pod, "draining", cause);
  delist_after_lag(pod, draining);
  if (config_.pre_stop.count() == 0) return end(pod, draining);
  later_.push_back(clock_.at(clock_.now() + config_.pre_stop, [this, &pod, draining] {
    if (pod.state == PodState::draining) end(pod, tell(pod, "told to end", draining));
  }));
}

void SimCluster::end(SimPod& pod, EventId cause) {
  pod.told_to_end = true;
  network_.drain_connections(pod, config_.grace, cause);
  later_.push_back(clock_.at(clock_.now() + config_.grace, [this, &pod, cause] {
    if (pod.state != PodState::draining) return;
    pod.state = PodState::dead;
    if (pod.server) pod.server->kill();
    const EventId stopped = tell(pod, "stopped", cause);
    // It is no endpoint that serves while it ends any more.
    for (const std::string_view service : kServices) feed_.changed(std::string(service), stopped);
  }));
}

void SimCluster::rollout(std::uint32_t max_surge, std::uint32_t max_unavailable) {
  if (max_surge == 0 && max_unavailable == 0) {
    misuse({"max_surge and max_unavailable are both 0: no pod could ever be replaced"});
  }
  ++revision_;
  const std::uint32_t replicas =
      rolling_ ? rolling_->replicas : static_cast<std::uint32_t>(meant_to_serve().size());
  rolling_ = {replicas, max_surge, max_unavailable};
  roll(EventId::none);
}

void SimCluster::roll(EventId cause) {
  while (rolling_) {
    const std::vector<SimPod*> there = meant_to_serve();
    std::vector<RollingPod> seen;
    for (const SimPod* pod : there) seen.push_back({pod->revision == revision_, pod->ready});
    const RollingStep step = next_step(*rolling_, seen);
    if (step.nothing()) {
      if (std::ranges::all_of(seen, [](RollingPod pod) { return pod.is_new && pod.ready; })) {
        rolling_.reset();
      }
      return;
    }
    if (step.add > 0) add_pods(step.add);
    for (const std::size_t i : step.drain) remove(*there[i], cause);
  }
}

void SimCluster::slow(std::string_view name, const Distribution& longer) {
  SimPod& pod = find(name);
  pod.slowness = longer;
  tell(pod, longer.is_zero() ? "fast again" : "slowed");
}

void SimCluster::fail(std::string_view name, const Failing& failing) {
  SimPod& pod = find(name);
  pod.failing = failing;
  tell(pod, failing.rate > 0 ? "failing" : "well again");
}

void SimCluster::set_serving(std::string_view name, bool serving) {
  SimPod& pod = find(name);
  pod.healthy = serving;
  const EventId said = tell(pod, serving ? "SERVING" : "NOT_SERVING");
  network_.tell_health(pod, said);
  probe_after(pod, config_.readiness_delay, said);
}

void SimCluster::publish_config(const std::string& record) {
  dns_.set_config(full_name(kHeadlessService), record);
  dns_.set_config(full_name(kClusterIpService), record);
}

Channel& SimCluster::open_channel(const ChannelOptions& config) {
  return open(config, "client-" + std::to_string(++channels_made_));
}

Channel& SimCluster::dial_anew(const ChannelOptions& config, Symbol owner) {
  return open(config, name_of_next(trace_.symbols().word(owner), dialled_anew_[owner]));
}

Channel& SimCluster::open(const ChannelOptions& config, std::string who) {
  Channel::MakeResolver make_resolver;
  if (config.target.starts_with("k8s:")) {
    misuse(
        {"k8s:///: there is no Kubernetes API in the sim to tell a client anything; "
         "watch:///greetserver-headless is told of the same changes, and Cluster.local() has an "
         "API that can be asked"});
  }
  if (config.target.starts_with(kWatch)) {
    make_resolver = [this, service = config.target.substr(kWatch.size())](Rng&, Symbol who) {
      return std::make_unique<WatchResolver>(trace_, who, service, feed_.watch(service));
    };
  } else {
    make_resolver = looked_up(config);
  }
  return channels_.emplace_back(Channel::Ports{clock_, network_, trace_},
                                ChannelConfig{config.policy, config.service_config, std::move(who),
                                              rng_.next(), config.keepalive, config.idle_timeout},
                                std::move(make_resolver));
}

Channel::MakeResolver SimCluster::looked_up(const ChannelOptions& config) {
  // The name as gRPC would be given it: absolute, so that no search list is walked.
  const std::string name =
      config.target.find('.') == std::string::npos ? full_name(config.target) + "." : config.target;
  return [this, name, cooldown = config.cooldown,
          read_config = config.dns_service_config ? read_config_ : nullptr](Rng& rng, Symbol who) {
    return std::make_unique<PollingResolver>(
        PollingResolver::Ports{clock_, rng, trace_, who},
        std::make_unique<SimNameLookup>(dns_, rng, name, config_.port, who, read_config), cooldown);
  };
}

void SimCluster::close_channel(Channel& channel) {
  channels_.remove_if([&](const Channel& one) { return &one == &channel; });
}

SimPod& SimCluster::find(std::string_view name) {
  const auto found = std::ranges::find(pods_, name, &SimPod::name);
  if (found == pods_.end()) {
    std::string there;
    for (const SimPod& pod : pods_) there += (there.empty() ? "" : ", ") + pod.name;
    misuse({"no pod '", name, "': there is ", (there.empty() ? "none" : there)});
  }
  return *found;
}

void SimCluster::delist_after_lag(SimPod& pod, EventId cause) {
  if (config_.endpoint_lag.count() == 0) return delist(pod, cause);
  later_.push_back(clock_.at(clock_.now() + config_.endpoint_lag, [this, &pod, cause] {
    const bool well_again = pod.state == PodState::serving && pod.ready;
    if (!well_again) delist(pod, cause);
  }));
}

void SimCluster::delist(SimPod& pod, EventId cause) {
  if (std::exchange(pod.listed, false)) publish(cause);
}

// Of each family by itself: an EndpointSlice has one addressType, and kube-proxy sends connections
// to a ClusterIP on to endpoints of its own family.
void SimCluster::publish(EventId cause) {
  std::vector<Address> all;
  std::vector<std::string> virtual_ips;
  for (const Address& cluster_ip : cluster_ips_) {
    virtual_ips.push_back(cluster_ip.ip);
    std::vector<Address> slice;
    for (const SimPod& pod : pods_) {
      if (!pod.listed) continue;
      std::ranges::copy_if(pod.addresses, std::back_inserter(slice), [&](const Address& address) {
        return is_v6(address) == is_v6(cluster_ip);
      });
    }
    all.insert(all.end(), slice.begin(), slice.end());
    network_.set_endpoints(cluster_ip, std::move(slice));
  }
  std::vector<std::string> ips;
  for (const Address& address : all) ips.push_back(address.ip);
  dns_.set(full_name(kHeadlessService), std::move(ips));
  dns_.set(full_name(kClusterIpService), std::move(virtual_ips));
  for (const std::string_view service : kServices) {
    const EventId changed = trace_.emit(who_, cause, [&] {
      return EndpointsChanged{trace_.symbol(service), trace_.symbol(to_string(all)),
                              static_cast<std::uint32_t>(all.size())};
    });
    feed_.changed(std::string(service), changed);
  }
}

// As the EndpointSlices have them: also those that are not ready yet, or no more.
std::optional<std::vector<SliceEndpoint>> SimCluster::slice_endpoints(
    std::string_view service) const {
  if (std::ranges::find(kServices, service) == kServices.end()) return std::nullopt;
  std::vector<SliceEndpoint> found;
  for (std::size_t family = 0; family < cluster_ips_.size(); ++family) {
    for (const SimPod& pod : pods_) {
      const bool ends = pod.state == PodState::draining;
      const bool runs = ends || pod.state == PodState::starting || pod.state == PodState::serving;
      if (!runs && !pod.listed) continue;
      // While it is listed nobody has noticed yet.
      found.push_back({pod.name,
                       {pod.addresses[family]},
                       pod.listed,
                       pod.listed || (pod.ready && runs),
                       ends && !pod.listed});
    }
  }
  return found;
}

EventId SimCluster::tell(const SimPod& pod, std::string_view change, EventId cause) {
  return trace_.emit(who_, cause, [&] {
    return PodChanged{pod.who, trace_.symbol(change), trace_.symbol(to_string(pod.addresses))};
  });
}

}  // namespace greetlab
