#include "sim/network.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "core/duration.h"
#include "sim/health_stream.h"
#include "sim/load_stream.h"
#include "sim/pod_server.h"

namespace greetlab {

namespace {

// What a gRPC server does with pings (gRFC A8; grpc/grpc ping_abuse_policy.cc, and its defaults).
class PingPolice {
 public:
  /// A PING has come. @return whether it is one too many.
  bool strikes_out(Time now, bool has_calls) {
    const Time allowed = last_ + (has_calls ? std::chrono::minutes(5) : std::chrono::hours(2));
    const bool too_soon = asked_ && now < allowed;
    asked_ = true;
    last_ = now;
    return too_soon && ++strikes_ > kMaxStrikes;
  }

  /// Headers or data go out.
  void forgive() {
    asked_ = false;
    strikes_ = 0;
  }

 private:
  static constexpr int kMaxStrikes = 2;

  bool asked_ = false;
  Time last_{};
  int strikes_ = 0;
};

constexpr std::uint32_t kNoStreamYet = 0x7fffffff;  // of a GOAWAY that comes before the real one

}  // namespace

// An open connection. The client holds it by its link; calls in flight hold it, too, so that they
// can end when the client has turned to another one.
class Network::Connection final : public std::enable_shared_from_this<Connection>,
                                  public SideStreams,
                                  private Keepalive::Peer,
                                  private PodServer::Client {
 public:
  Connection(Network& network, ConnectionId id, const Dial& dial, SimPod& pod,
             Link::Watcher& watcher)
      : network_(network),
        id_(id),
        who_(dial.who),
        subchannel_(dial.subchannel),
        pod_(pod),
        watcher_(&watcher),
        keepalive_(network.clock_, dial.keepalive, *this) {}

  /// The client knows that it is up.
  void start(EventId up) {
    up_ = up;
    keepalive_.start();
  }

  /// The client wants no more of it: it hears nothing, and the calls in flight end by themselves.
  void let_go() {
    watcher_ = nullptr;
    if (!has_calls()) keepalive_.stop();
  }

  void send(SimCall& subchannel_call, Sending what) {
    const std::size_t place = take_place();
    InFlight& call = in_flight_[place];
    call.id = what.call;
    call.subchannel_call = &subchannel_call;
    call.done = std::move(what.done);
    call.cause = what.cause;
    call.deadline = what.deadline;
    subchannel_call.give_up = [this, place] {
      finish(place, {{Code::cancelled, "cancelled by the caller"}}, in_flight_[place].cause);
    };
    if (const auto most = network_.config_.max_concurrent_streams; most && streams_ >= *most) {
      waiting_.push_back(place);
      network_.trace_.emit(who_, what.cause, [&] { return StreamAwaited{what.call, id_, *most}; });
      return end_at(place, what.deadline, kDeadlineExceeded);
    }
    begin(place);
  }

  /// It has a stream.
  void begin(std::size_t place) {
    const Time deadline = in_flight_[place].deadline;
    in_flight_[place].begun = network_.clock_.now();
    ++streams_;
    ++streams_ever_;
    keepalive_.call_begins();
    if (silent_) {
      end_at(place, deadline, kDeadlineExceeded);
      tcp_waits(in_flight_[place].cause);
      return;
    }
    if (broken_) {  // the client has not heard of it yet
      const Time heard = network_.clock_.now() + 2 * network_.one_way();
      end_at(place, std::min(heard, deadline),
             heard <= deadline ? kSocketClosed : kDeadlineExceeded);
      return;
    }
    if (pod_.server) return ask(place);
    Duration service = pod_.service_time.draw(network_.rng_);
    service += pod_.slowness.draw(network_.rng_);  // which side of a + is first, nobody says
    const Time answered = network_.clock_.now() + network_.one_way() + service + network_.one_way();
    if (answered > deadline) {
      end_at(place, deadline, kDeadlineExceeded);
    } else if (pod_.failing.draw(network_.rng_)) {
      end_at(place, answered, kInjected);
    } else {
      end_at(place, answered, kAnswered);
    }
  }

  /// The pod's end is gone: the client hears of it one way later, and of its calls.
  void reset(EventId cause) {
    if (broken_) return;
    broken_ = true;
    at(network_.clock_.now() + network_.one_way(),
       [this, cause] { break_off(cause, "Connection reset by peer"); });
  }

  /// GOAWAY: the client hears of it one way later. The calls in flight have `grace` from now.
  /// @param debug what gRPC's servers say in it.
  void go_away(std::string_view reason, std::string_view debug, std::optional<Duration> grace,
               EventId cause) {
    if (broken_ || leaving_) return;
    leaving_ = true;
    const EventId sent = network_.trace_.emit(
        pod_.who, cause, [&] { return GoAwaySent{id_, network_.trace_.symbol(reason)}; });
    const Symbol said = network_.trace_.symbol(debug);
    const Time heard = network_.clock_.now() + network_.one_way();
    at(heard, [this, sent, said] {
      if (watcher_ == nullptr && !has_calls()) return;  // it has hung up
      tell_lost(Graceful::yes, hear_go_away(kNoStreamYet, "NO_ERROR", said, sent), "GOAWAY");
    });
    // Once the client is known to have it, which takes a PING and its answer, comes the one with
    // the last stream's number (RFC 9113 6.8). Who has no calls in flight has hung up by then.
    at(heard + 2 * network_.config_.latency, [this, sent, said] {
      if (has_calls()) hear_go_away(last_stream(), "NO_ERROR", said, sent);
    });
    if (grace) {
      end_of_grace_ =
          network_.clock_.at(network_.clock_.now() + *grace, [this, sent] { reset(sent); });
    }
  }

  // --- Streams beside the calls

  std::unique_ptr<Stream> watch_health(const std::string& service, HealthWatcher& watcher) {
    return std::make_unique<HealthStream>(network_.clock_, shared_from_this(), service, watcher,
                                          up_);
  }
  std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) {
    return std::make_unique<LoadStream>(network_.clock_, shared_from_this(), interval, watcher,
                                        up_);
  }
  void tell_health(EventId cause) {
    for (HealthStream* const stream : health_) stream->say(cause);
  }

  SimPod& pod() override { return pod_; }
  Duration one_way() override { return network_.one_way(); }
  bool open() const override { return !broken_ && !silent_; }
  void heard() override {
    keepalive_.heard();
    police_.forgive();
  }
  void begin() override {
    ++side_streams_;
    ++streams_;
    ++streams_ever_;
    keepalive_.call_begins();
  }
  void end() override {
    --side_streams_;
    --streams_;
    begin_next();
  }
  std::vector<HealthStream*>& watching() override { return health_; }

  /// From now on nothing comes back: calls end when their deadlines do, and the connection when TCP
  /// gives up. It waits for what was not acknowledged only: who waits for an answer to what was, a
  /// stream, say, and sends nothing, never finds out without keepalive.
  void silence() {
    silent_ = true;
    age_.cancel();
    for (std::size_t place = 0; place < in_flight_.size(); ++place) {
      if (!in_flight_[place].done) continue;
      in_flight_[place].end.cancel();
      end_at(place, in_flight_[place].deadline, kDeadlineExceeded);
      const bool acknowledged =
          in_flight_[place].begun + 2 * network_.config_.latency <= network_.clock_.now();
      if (!waits(place) && !acknowledged) tcp_waits(in_flight_[place].cause);
    }
  }

  void age_after(Duration age, std::optional<Duration> grace) {
    age_ = network_.clock_.at(network_.clock_.now() + age, [this, grace] {
      go_away("max_connection_age", "max_age", grace, EventId::none);
    });
  }

  void forget() { in_flight_.clear(); }

 private:
  // --- Keepalive::Peer

  bool has_calls() const override { return in_flight_.size() > free_.size() || side_streams_ > 0; }

  void ping() override {
    const Time now = network_.clock_.now();
    const EventId sent = pinged_ = network_.trace_.emit(who_, up_, [&] { return PingSent{id_}; });
    // The keepalive ends the wait for a silent pod, at the very moment when TCP would.
    if (silent_ || broken_) return;
    const Time arrives = now + network_.one_way();
    ping_ = network_.clock_.at(arrives, [this, sent] {
      if (!silent_ && police_.strikes_out(network_.clock_.now(), streams_ > 0)) calm_down(sent);
    });
    pong_ = network_.clock_.at(arrives + network_.one_way(), [this, sent, now] {
      if (silent_ || broken_) return;
      keepalive_.heard();
      network_.trace_.emit(who_, sent,
                           [&] { return PingAnswered{id_, network_.clock_.now() - now}; });
    });
  }

  void on_silence() override {
    const Duration waited = keepalive_.config().timeout;
    const EventId silent =
        network_.trace_.emit(who_, pinged_, [&] { return PingUnanswered{id_, waited}; });
    break_off(silent, "no answer to a keepalive PING in " + to_text(waited));
  }

  // ENHANCE_YOUR_CALM, and the end of the connection at once (gRFC A8).
  void calm_down(EventId cause) {
    if (broken_) return;
    static constexpr std::string_view kWords = "too_many_pings";
    broken_ = true;
    const Symbol words = network_.trace_.symbol(kWords);
    const EventId sent =
        network_.trace_.emit(pod_.who, cause, [&] { return GoAwaySent{id_, words}; });
    at(network_.clock_.now() + network_.one_way(), [this, sent, words] {
      const EventId heard = hear_go_away(last_stream(), "ENHANCE_YOUR_CALM", words, sent);
      if (watcher_ != nullptr) watcher_->on_too_many_pings(keepalive_.config().time, heard);
      tell_lost(Graceful::yes, heard, "GOAWAY");
      break_off(heard, "Socket closed");
    });
  }

  EventId hear_go_away(std::uint32_t last_stream, std::string_view error, Symbol debug,
                       EventId cause) {
    return network_.trace_.emit(who_, cause, [&] {
      return GoAwayReceived{id_, last_stream, network_.trace_.symbol(error), debug};
    });
  }

  // The number of the last stream that we opened: 1, 3, 5, ... (RFC 9113 5.1.1).
  std::uint32_t last_stream() const { return streams_ever_ == 0 ? 0 : 2 * streams_ever_ - 1; }

  // What was sent is sent again and again, until the client's own TCP gives the connection up: with
  // keepalive, after its timeout (TCP_USER_TIMEOUT, gRFC A18).
  void tcp_waits(EventId cause) {
    if (std::exchange(waited_for_, true)) return;
    const KeepaliveConfig& keepalive = keepalive_.config();
    const Duration patience =
        keepalive.time.count() > 0 ? keepalive.timeout : network_.config_.tcp_patience;
    at(network_.clock_.now() + patience,
       [this, cause] { break_off(cause, "Connection timed out"); });
  }

  // The client knows that it has lost the connection, and its calls fail. Those that had no stream
  // were not sent.
  void break_off(EventId cause, std::string_view why) {
    const auto self = shared_from_this();
    broken_ = true;
    keepalive_.stop();
    const EventId lost = tell_lost(Graceful::no, cause, why);
    for (std::size_t place = 0; place < in_flight_.size(); ++place) {
      if (in_flight_[place].done) finish(place, outcome(kSocketClosed), lost);
    }
  }

  // --- A pod that cannot do everything at once, or that reports its load

  struct Asked {
    PodServer::JobId job;
    PodServer::Reply reply = {};  // on its way
  };

  void ask(std::size_t place) {
    end_at(place, in_flight_[place].deadline, kDeadlineExceeded);
    const std::shared_ptr<PodServer::Client> self(shared_from_this(), this);
    // One after the other, as they were sent: TCP keeps their order.
    last_asked_ = std::max(last_asked_, network_.clock_.now() + network_.one_way());
    asked_[place] = {pod_.server->arrive(self, place, in_flight_[place].id, last_asked_,
                                         in_flight_[place].cause)};
  }

  void on_reply(std::size_t place, PodServer::JobId job, const PodServer::Reply& reply,
                EventId cause) override {
    const auto asked = asked_.find(place);
    if (asked == asked_.end() || asked->second.job != job || silent_ || broken_) return;
    asked->second.reply = reply;
    const Time heard = network_.clock_.now() + network_.one_way();
    if (heard > in_flight_[place].deadline) return;
    in_flight_[place].end = network_.clock_.at(heard, [this, place, cause] {
      PodServer::Reply& answer = asked_.at(place).reply;
      Outcome told = outcome(answer.status.ok() ? kAnswered : kInjected);
      told.status = std::move(answer.status);
      told.load = std::move(answer.load);
      told.pushback = answer.pushback;
      finish(place, told, cause);
    });
  }

  // Nobody waits for the pod's answer any more.
  void forget_asked(std::size_t place) {
    const auto asked = asked_.extract(place);
    if (asked.empty()) return;
    pod_.server->give_up(asked.mapped().job, network_.clock_.now() + network_.one_way());
  }

  enum Ending { kAnswered, kInjected, kSocketClosed, kDeadlineExceeded };

  struct InFlight {
    CallId id{};
    SimCall* subchannel_call = nullptr;
    Done done;
    EventId cause;
    Time deadline;
    Time begun;
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

  void begin_next() {
    if (waiting_.empty()) return;
    const std::size_t next = waiting_.front();
    waiting_.pop_front();
    in_flight_[next].end.cancel();
    begin(next);
  }

  bool waits(std::size_t place) const {
    return std::ranges::find(waiting_, place) != waiting_.end();
  }

  void finish(std::size_t place, const Outcome& outcome, EventId cause) {
    InFlight call = std::exchange(in_flight_[place], {});  // holds us until it has been told
    free_.push_back(place);
    call.subchannel_call->give_up = nullptr;
    if (!asked_.empty()) forget_asked(place);
    if (std::erase(waiting_, place) == 0) {
      --streams_;
      begin_next();
    }
    if (watcher_ == nullptr && !has_calls()) keepalive_.stop();
    call.done(outcome, cause);
  }

  Outcome outcome(Ending ending) {
    if (ending == kAnswered || ending == kInjected) heard();
    switch (ending) {
      case kAnswered: ++pod_.serial; return {{}, pod_.who};
      case kInjected: {
        Outcome failed{pod_.failing.status(), pod_.who};
        failed.pushback = pod_.failing.pushback;
        return failed;
      }
      case kSocketClosed: return {{Code::unavailable, "Socket closed"}};
      case kDeadlineExceeded: break;
    }
    return {{Code::deadline_exceeded, "Deadline Exceeded"}};
  }

  EventId tell_lost(Graceful graceful, EventId cause, std::string_view why) {
    const auto self = shared_from_this();
    EventId lost = cause;
    if (watcher_ != nullptr) {
      lost = network_.trace_.emit(who_, cause, [&] {
        return ConnectionLost{subchannel_, id_, graceful, network_.trace_.symbol(why)};
      });
      std::exchange(watcher_, nullptr)->on_lost(lost);
    }
    // Those that wait for a stream get none any more: they are picked again (gRFC A6).
    while (!waiting_.empty()) {
      finish(waiting_.front(), {{Code::unavailable, "the connection is gone"}, Symbol::none, true},
             lost);
    }
    return lost;
  }

  void at(Time when, Task task) {
    // Whatever is still to come holds the connection.
    pending_.push_back(network_.clock_.at(when, [self = shared_from_this(), task] { task(); }));
  }

  Network& network_;
  const ConnectionId id_;
  const Symbol who_;
  const SubchannelId subchannel_;
  SimPod& pod_;
  Link::Watcher* watcher_;
  Keepalive keepalive_;
  PingPolice police_;
  EventId up_ = EventId::none;
  EventId pinged_ = EventId::none;
  bool broken_ = false;
  bool leaving_ = false;
  bool silent_ = false;
  bool waited_for_ = false;  // something was sent into the silence
  std::vector<InFlight> in_flight_;
  std::vector<std::size_t> free_;
  std::deque<std::size_t> waiting_;  // for a stream
  std::map<std::size_t, Asked> asked_;
  Time last_asked_{};
  HealthStream::Watching health_;
  std::uint32_t side_streams_ = 0;
  std::uint32_t streams_ = 0;
  std::uint32_t streams_ever_ = 0;
  std::vector<Timer> pending_;  // at most GOAWAYs, a reset and TCP's own patience
  Timer ping_;
  Timer pong_;
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

  void send(SubchannelCall& subchannel_call, Sending what) override {
    connection_->send(static_cast<SimCall&>(subchannel_call), std::move(what));
  }
  std::unique_ptr<Stream> watch_health(const std::string& service,
                                       HealthWatcher& watcher) override {
    return connection_->watch_health(service, watcher);
  }
  std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) override {
    return connection_->watch_load(interval, watcher);
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
    connection_->start(connected);
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
  for (const Address& address : pod.addresses) pods_[address] = &pod;
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
    connection->go_away("the pod is draining", "Server shutdown", grace, cause);
  }
}

void Network::tell_health(const SimPod& pod, EventId cause) {
  for (const auto& connection : connections_of(pod)) connection->tell_health(cause);
}

void Network::silence_connections(const SimPod& pod) {
  for (const auto& connection : connections_of(pod)) connection->silence();
}

std::shared_ptr<Network::Connection> Network::open(ConnectionId id, const Dial& dial, SimPod& pod,
                                                   Link::Watcher& watcher) {
  ++opened_;
  auto connection = std::make_shared<Connection>(*this, id, dial, pod, watcher);
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
