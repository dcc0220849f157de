#include "sim/cluster.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "lb/polling_resolver.h"

namespace greetlab {
namespace {

constexpr std::string_view kClusterIpService = "greetserver";
constexpr std::string_view kHeadlessService = "greetserver-headless";
constexpr std::uint32_t kMostPods = 10'000;

std::string full_name(std::string_view service) {
  return std::string(service) + ".default.svc.cluster.local";
}

}  // namespace

SimCluster::SimCluster(SimConfig config)
    : config_(std::move(config)),
      rng_(config_.seed),
      trace_(clock_),
      dns_(clock_, rng_, trace_, config_.dns),
      network_(clock_, rng_, trace_, config_.network),
      cluster_ip_{"10.96.0.1", config_.port},
      who_(trace_.symbol("cluster")) {
  if (config_.trace_capacity > 0) {
    recording_.emplace(config_.trace_capacity);
    trace_.listen(&*recording_);
  }
  network_.add_cluster_ip(cluster_ip_);
  scale(config_.pods);
  if (config_.pods == 0) publish(EventId::none);  // the services are there all the same
}

SimCluster::~SimCluster() {
  trace_.listen(nullptr);  // the end of the world is nobody's event
  channels_.clear();
}

void SimCluster::scale(std::uint32_t pods) {
  if (pods > kMostPods) {
    throw std::invalid_argument(std::to_string(pods) + " pods: a virtual cluster has at most " +
                                std::to_string(kMostPods));
  }
  std::vector<SimPod*> serving;
  for (SimPod& pod : pods_) {
    if (pod.state == PodState::serving) serving.push_back(&pod);
  }
  if (pods > serving.size()) add_pods(pods - static_cast<std::uint32_t>(serving.size()));
  for (std::size_t i = pods; i < serving.size(); ++i) drain(serving[i]->name);
}

void SimCluster::add_pods(std::uint32_t count) {
  EventId last = EventId::none;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t n = pods_made_++;
    SimPod& pod = pods_.emplace_back();
    pod.name = "pod-" + std::to_string(n + 1);
    pod.address = {"10.244." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 2),
                   config_.port};
    pod.who = trace_.symbol(pod.name);
    pod.least = pod.most = config_.network.service_time;
    network_.add(pod);
    last = tell(pod, "started");
  }
  publish(last);
}

void SimCluster::kill(std::string_view name) {
  SimPod& pod = find(name);
  pod.state = PodState::dead;
  const EventId killed = tell(pod, "killed");
  network_.reset_connections(pod, killed);
  delist_after_lag(pod, killed);
}

void SimCluster::lose(std::string_view name) {
  SimPod& pod = find(name);
  pod.state = PodState::lost;
  const EventId lost = tell(pod, "lost");
  network_.silence_connections(pod);
  delist_after_lag(pod, lost);
}

void SimCluster::restart(std::string_view name) {
  SimPod& pod = find(name);
  if (pod.state != PodState::dead && pod.state != PodState::lost) kill(name);
  pod.state = PodState::serving;
  pod.serial = 0;
  const EventId started = tell(pod, "started");
  if (!std::exchange(pod.listed, true)) publish(started);
}

void SimCluster::drain(std::string_view name) {
  SimPod& pod = find(name);
  if (pod.state != PodState::serving) return;
  pod.state = PodState::draining;
  const EventId draining = tell(pod, "draining");
  delist(pod, draining);
  network_.drain_connections(pod, config_.grace, draining);
  later_.push_back(clock_.at(clock_.now() + config_.grace, [this, &pod, draining] {
    if (pod.state != PodState::draining) return;
    pod.state = PodState::dead;
    tell(pod, "stopped", draining);
  }));
}

void SimCluster::slow(std::string_view name, Duration least, Duration most) {
  SimPod& pod = find(name);
  pod.least = config_.network.service_time + least;
  pod.most = config_.network.service_time + std::max(least, most);
  tell(pod, most.count() > 0 ? "slowed" : "fast again");
}

void SimCluster::fail(std::string_view name, double rate) {
  SimPod& pod = find(name);
  pod.errors_ppm = static_cast<std::uint32_t>(rate * 1e6);
  tell(pod, rate > 0 ? "failing" : "well again");
}

void SimCluster::set_serving(std::string_view name, bool serving) {
  tell(find(name), serving ? "SERVING" : "NOT_SERVING");
}

Channel& SimCluster::open_channel(const SimChannelConfig& config) {
  // The name as gRPC would be given it: absolute, so that no search list is walked.
  const std::string name = config.service.find('.') == std::string::npos
                               ? full_name(config.service) + "."
                               : config.service;
  const std::uint32_t number = ++channels_made_;
  return channels_.emplace_back(
      Channel::World{clock_, network_, trace_},
      ChannelConfig{config.policy, "client-" + std::to_string(number), rng_.next()},
      [this, name, cooldown = config.cooldown](Rng& rng, Symbol who) -> std::unique_ptr<Resolver> {
        return std::make_unique<PollingResolver>(
            PollingResolver::World{clock_, rng, trace_, who},
            std::make_unique<SimNameLookup>(dns_, name, config_.port, who), cooldown);
      });
}

void SimCluster::close_channel(Channel& channel) {
  channels_.remove_if([&](const Channel& one) { return &one == &channel; });
}

SimPod& SimCluster::find(std::string_view name) {
  const auto found = std::ranges::find(pods_, name, &SimPod::name);
  if (found == pods_.end()) {
    std::string there;
    for (const SimPod& pod : pods_) there += (there.empty() ? "" : ", ") + pod.name;
    throw std::invalid_argument("no pod '" + std::string(name) + "': there is " +
                                (there.empty() ? "none" : there));
  }
  return *found;
}

void SimCluster::delist_after_lag(SimPod& pod, EventId because) {
  if (config_.endpoint_lag.count() == 0) return delist(pod, because);
  later_.push_back(clock_.at(clock_.now() + config_.endpoint_lag, [this, &pod, because] {
    if (pod.state != PodState::serving) delist(pod, because);
  }));
}

void SimCluster::delist(SimPod& pod, EventId because) {
  if (std::exchange(pod.listed, false)) publish(because);
}

void SimCluster::publish(EventId because) {
  std::vector<std::string> ips;
  std::vector<Address> addresses;
  for (const SimPod& pod : pods_) {
    if (!pod.listed) continue;
    ips.push_back(pod.address.ip);
    addresses.push_back(pod.address);
  }
  dns_.set(full_name(kHeadlessService), ips);
  dns_.set(full_name(kClusterIpService), {cluster_ip_.ip});
  for (const std::string_view service : {kClusterIpService, kHeadlessService}) {
    trace_.emit(who_, because, [&] {
      return EndpointsChanged{trace_.symbol(service), trace_.symbol(to_string(addresses)),
                              static_cast<std::uint32_t>(addresses.size())};
    });
  }
  network_.set_endpoints(cluster_ip_, std::move(addresses));
}

EventId SimCluster::tell(const SimPod& pod, std::string_view change, EventId because) {
  return trace_.emit(who_, because, [&] { return PodChanged{pod.who, trace_.symbol(change)}; });
}

}  // namespace greetlab
