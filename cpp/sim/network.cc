#include "sim/network.h"

#include <algorithm>
#include <utility>

namespace greetlab {

// An open connection. The client holds it by its link; calls in flight hold it, too, so that they
// can end when the client has turned to another one.
class Network::Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Network& network, ConnectionId id, Symbol who, SubchannelId subchannel, SimPod& pod,
             Link::Watcher& watcher)
      : network_(network),
        id_(id),
        who_(who),
        subchannel_(subchannel),
        pod_(pod),
        watcher_(&watcher) {}

  /// The client wants no more of it: it hears nothing, and the calls in flight end by themselves.
  void let_go() { watcher_ = nullptr; }

  void send(CallId, SimCall& subchannel_call, Time deadline, EventId cause, Link::Done done) {
    const std::size_t place = take_place();
    InFlight& call = in_flight_[place];
    call.subchannel_call = &subchannel_call;
    call.done = std::move(done);
    call.cause = cause;
    call.deadline = deadline;
    subchannel_call.give_up = [this, place] {
      finish(place, {{Code::cancelled, "cancelled by the caller"}}, in_flight_[place].cause);
    };
    if (silent_) {
      end_at(place, deadline, kDeadlineExceeded);
      tcp_waits(cause);
      return;
    }
    if (broken_) {  // the client has not heard of it yet
      const Time heard = network_.clock_.now() + 2 * network_.one_way();
      end_at(place, std::min(heard, deadline),
             heard <= deadline ? kSocketClosed : kDeadlineExceeded);
      return;
    }
    const Duration service = pod_.least + draw(pod_.most - pod_.least);
    const Time answered = network_.clock_.now() + network_.one_way() + service + network_.one_way();
    if (answered > deadline) {
      end_at(place, deadline, kDeadlineExceeded);
    } else if (pod_.errors_ppm > 0 && network_.rng_.below(1'000'000) < pod_.errors_ppm) {
      end_at(place, answered, kInjected);
    } else {
      end_at(place, answered, kAnswered);
    }
  }

  /// The pod's end is gone: the client hears of it one way later, and of its calls.
  void reset(EventId cause) {
    if (broken_) return;
    broken_ = true;
    at(network_.clock_.now() + network_.one_way(), [this, cause] { break_off(cause); });
  }

  /// GOAWAY: the client hears of it one way later. The calls in flight have `grace` from now.
  void go_away(std::string_view reason, std::optional<Duration> grace, EventId cause) {
    if (broken_ || leaving_) return;
    leaving_ = true;
    const EventId sent = network_.trace_.emit(
        pod_.who, cause, [&] { return GoAwaySent{id_, network_.trace_.symbol(reason)}; });
    at(network_.clock_.now() + network_.one_way(),
       [this, sent] { tell_lost(Graceful::yes, sent); });
    if (grace) {
      end_of_grace_ =
          network_.clock_.at(network_.clock_.now() + *grace, [this, sent] { reset(sent); });
    }
  }

  /// From now on nothing comes back: calls end when their deadlines do, and the connection when TCP
  /// gives up.
  void silence() {
    silent_ = true;
    age_.cancel();
    for (std::size_t place = 0; place < in_flight_.size(); ++place) {
      if (!in_flight_[place].done) continue;
      in_flight_[place].end.cancel();
      end_at(place, in_flight_[place].deadline, kDeadlineExceeded);
      tcp_waits(in_flight_[place].cause);
    }
  }

  void age_after(Duration age, std::optional<Duration> grace) {
    age_ = network_.clock_.at(network_.clock_.now() + age, [this, grace] {
      go_away("max_connection_age", grace, EventId::none);
    });
  }

  void forget() { in_flight_.clear(); }

 private:
  // What was sent is sent again and again, until the client's own TCP gives the connection up.
  void tcp_waits(EventId cause) {
    if (std::exchange(waited_for_, true)) return;
    at(network_.clock_.now() + network_.config_.tcp_patience, [this, cause] { break_off(cause); });
  }

  // The client knows that it has lost the connection, and its calls fail.
  void break_off(EventId cause) {
    broken_ = true;
    const EventId lost = tell_lost(Graceful::no, cause);
    for (std::size_t place = 0; place < in_flight_.size(); ++place) {
      if (in_flight_[place].done) finish(place, outcome(kSocketClosed), lost);
    }
  }

  enum Ending { kAnswered, kInjected, kSocketClosed, kDeadlineExceeded };

  struct InFlight {
    SimCall* subchannel_call = nullptr;
    Link::Done done;
    EventId cause;
    Time deadline;
    Ending ending = kAnswered;
    Timer end;
    std::shared_ptr<Connection> alive;
  };

  std::size_t take_place() {
    if (free_.empty()) {
      free_.push_back(in_flight_.size());
      in_flight_.emplace_back();
    }
    const std::size_t place = free_.back();
    free_.pop_back();
    in_flight_[place].alive = shared_from_this();
    return place;
  }

  void end_at(std::size_t place, Time when, Ending ending) {
    if (when == kNever) return;
    InFlight& call = in_flight_[place];
    call.ending = ending;
    // What the task holds has to fit into a std::function: a call more costs no memory.
    call.end = network_.clock_.at(when, [this, place] {
      finish(place, outcome(in_flight_[place].ending), in_flight_[place].cause);
    });
  }

  void finish(std::size_t place, const Outcome& outcome, EventId cause) {
    InFlight call = std::exchange(in_flight_[place], {});  // holds us until it has been told
    free_.push_back(place);
    call.subchannel_call->give_up = nullptr;
    call.done(outcome, cause);
  }

  Outcome outcome(Ending ending) {
    switch (ending) {
      case kAnswered: ++pod_.serial; return {{}, pod_.who};
      case kInjected: return {{Code::unavailable, "injected error"}, pod_.who};
      case kSocketClosed: return {{Code::unavailable, "Socket closed"}};
      case kDeadlineExceeded: break;
    }
    return {{Code::deadline_exceeded, "Deadline Exceeded"}};
  }

  EventId tell_lost(Graceful graceful, EventId cause) {
    if (watcher_ == nullptr) return cause;
    const EventId lost = network_.trace_.emit(
        who_, cause, [&] { return ConnectionLost{subchannel_, id_, graceful}; });
    std::exchange(watcher_, nullptr)->on_lost(lost);
    return lost;
  }

  void at(Time when, Task task) {
    // Whatever is still to come holds the connection.
    pending_.push_back(network_.clock_.at(when, [self = shared_from_this(), task] { task(); }));
  }

  Duration draw(Duration spread) {
    if (spread.count() <= 0) return Duration(0);
    return Duration(static_cast<std::int64_t>(
        network_.rng_.below(static_cast<std::uint64_t>(spread.count()) + 1)));
  }

  Network& network_;
  const ConnectionId id_;
  const Symbol who_;
  const SubchannelId subchannel_;
  SimPod& pod_;
  Link::Watcher* watcher_;
  bool broken_ = false;
  bool leaving_ = false;
  bool silent_ = false;
  bool waited_for_ = false;  // something was sent into the silence
  std::vector<InFlight> in_flight_;
  std::vector<std::size_t> free_;
  std::vector<Timer> pending_;  // at most a GOAWAY, a reset and TCP's own patience
  Timer age_;
  Timer end_of_grace_;
};

// The client's end: an attempt, and then its connection.
class Network::Attempt final : public Link {
 public:
  Attempt(Network& network, const Dial& dial, Link::Watcher& watcher)
      : network_(network), dial_(dial), watcher_(watcher), id_(network.trace_.next_connection()) {
    started_ = network_.trace_.emit(dial_.who, dial_.cause, [&] {
      return ConnectStarted{dial_.subchannel, id_, dial_.attempt};
    });
    deadline_ = network_.clock_.at(dial_.deadline,
                                   [this] { fail("connection attempt timed out", started_); });
    next_ = network_.clock_.at(network_.clock_.now() + network_.one_way(), [this] { arrive(); });
  }

  ~Attempt() override {
    if (connection_) connection_->let_go();
  }

  ConnectionId id() const override { return id_; }

  void send(CallId call, SubchannelCall& subchannel_call, Time deadline, EventId cause,
            Done done) override {
    connection_->send(call, static_cast<SimCall&>(subchannel_call), deadline, cause,
                      std::move(done));
  }

 private:
  // The SYN has come to whatever is at the address.
  void arrive() {
    EventId cause = started_;
    SimPod* pod = nullptr;
    const auto cluster_ip = network_.cluster_ips_.find(dial_.address);
    if (cluster_ip != network_.cluster_ips_.end()) {
      const Address* endpoint = cluster_ip->second.pick();
      if (endpoint == nullptr) return refuse(cause);  // kube-proxy's REJECT
      cause = network_.trace_.emit(network_.trace_.symbol("clusterip"), started_, [&] {
        return ProxyRouted{id_, network_.trace_.symbol(to_string(*endpoint))};
      });
      pod = network_.pod_at(*endpoint);
    } else {
      pod = network_.pod_at(dial_.address);
    }
    if (pod == nullptr || pod->state == PodState::lost) return;  // nobody says anything
    if (!pod->listens()) return refuse(cause);
    // SYN-ACK to us, the preface to it, its SETTINGS to us: three more ways.
    const Duration rest = network_.one_way() + network_.one_way() + network_.one_way();
    next_ = network_.clock_.at(network_.clock_.now() + rest,
                               [this, pod, cause] { settle(*pod, cause); });
  }

  void refuse(EventId cause) {
    next_ = network_.clock_.at(network_.clock_.now() + network_.one_way(),
                               [this, cause] { fail("Connection refused", cause); });
  }

  void fail(std::string_view why, EventId cause) {
    next_.cancel();
    deadline_.cancel();
    const EventId failed = network_.trace_.emit(dial_.who, cause, [&] {
      return ConnectFailed{dial_.subchannel, id_, network_.trace_.symbol(why)};
    });
    watcher_.on_connect_failed(
        {Code::unavailable, to_string(dial_.address) + ": " + std::string(why)}, failed);
  }

  void settle(SimPod& pod, EventId cause) {
    if (pod.state == PodState::lost) return;
    if (!pod.listens()) return fail("Connection reset by peer", cause);
    deadline_.cancel();
    connection_ = network_.open(id_, dial_, pod, watcher_);
    // The client's ports are made up, and told apart by the connection's number.
    const auto number = static_cast<std::uint32_t>(id_);
    const EventId connected = network_.trace_.emit(dial_.who, cause, [&] {
      return Connected{dial_.subchannel, id_,
                       network_.trace_.symbol("client:" + std::to_string(number))};
    });
    watcher_.on_connected(connected);
  }

  Network& network_;
  const Dial dial_;
  Link::Watcher& watcher_;
  const ConnectionId id_;
  EventId started_;
  Timer deadline_;
  Timer next_;
  std::shared_ptr<Connection> connection_;
};

Network::Network(Clock& clock, Rng& rng, Trace& trace, NetworkConfig config)
    : clock_(clock), rng_(rng), trace_(trace), config_(config) {}

Network::~Network() {
  // Calls that nobody will ever answer hold their connections.
  for (const auto& [pod, connections] : connections_) {
    for (const auto& weak : connections) {
      if (const auto connection = weak.lock()) connection->forget();
    }
  }
}

std::unique_ptr<Link> Network::dial(const Dial& dial, Link::Watcher& watcher) {
  return std::make_unique<Attempt>(*this, dial, watcher);
}

void Network::add(SimPod& pod) {
  pods_[pod.address] = &pod;
}

void Network::add_cluster_ip(const Address& address) {
  cluster_ips_.emplace(address, EndpointPick(rng_.next()));
}

void Network::set_endpoints(const Address& cluster_ip, std::vector<Address> endpoints) {
  cluster_ips_.at(cluster_ip).set_endpoints(std::move(endpoints));
}

void Network::reset_connections(const SimPod& pod, EventId cause) {
  for (const auto& connection : connections_of(pod)) connection->reset(cause);
}

void Network::drain_connections(const SimPod& pod, std::optional<Duration> grace, EventId cause) {
  for (const auto& connection : connections_of(pod)) {
    connection->go_away("the pod is draining", grace, cause);
  }
}

void Network::silence_connections(const SimPod& pod) {
  for (const auto& connection : connections_of(pod)) connection->silence();
}

std::shared_ptr<Network::Connection> Network::open(ConnectionId id, const Dial& dial, SimPod& pod,
                                                   Link::Watcher& watcher) {
  ++opened_;
  auto connection =
      std::make_shared<Connection>(*this, id, dial.who, dial.subchannel, pod, watcher);
  auto& of_pod = connections_[&pod];
  std::erase_if(of_pod, [](const auto& weak) { return weak.expired(); });
  of_pod.push_back(connection);
  if (config_.max_connection_age) {
    // gRFC A9: +-10 %, so that connections of one age do not end together.
    const auto tenth = static_cast<std::uint64_t>((*config_.max_connection_age / 5).count());
    connection->age_after(*config_.max_connection_age * 9 / 10 +
                              Duration(static_cast<std::int64_t>(rng_.below(tenth + 1))),
                          config_.max_connection_age_grace);
  }
  return connection;
}

std::vector<std::shared_ptr<Network::Connection>> Network::connections_of(const SimPod& pod) {
  std::vector<std::shared_ptr<Connection>> open;
  for (const auto& weak : connections_[&pod]) {
    if (auto connection = weak.lock()) open.push_back(std::move(connection));
  }
  return open;
}

Duration Network::one_way() {
  const auto spread = static_cast<std::uint64_t>((config_.latency * 2 / 5).count());
  return config_.latency * 4 / 5 + Duration(static_cast<std::int64_t>(rng_.below(spread + 1)));
}

SimPod* Network::pod_at(const Address& address) {
  const auto found = pods_.find(address);
  return found == pods_.end() ? nullptr : found->second;
}

}  // namespace greetlab
