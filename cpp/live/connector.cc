#include "live/connector.h"

#include <algorithm>
#include <array>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "core/duration.h"
#include "core/printable.h"
#include "grpc/health/v1/health.pb.h"
#include "http2/grpc_status.h"
#include "live/live_stream.h"
#include "live/live_subchannel_call.h"
#include "live/load_report.h"
#include "live/socket.h"
#include "live/transport.h"

namespace greetlab {
namespace {

constexpr std::uint32_t kEnhanceYourCalm = 0xb;  // RFC 9113 7
constexpr std::string_view kUsedUp = "there are no more numbers for streams";

// Writes the digits into `room`.
std::string_view in_hex(std::string_view bytes, std::span<char, 2 * kFrameExcerpt> room) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::size_t size = 0;
  for (const char byte : bytes) {
    room[size++] = kDigits[static_cast<std::uint8_t>(byte) >> 4];
    room[size++] = kDigits[static_cast<std::uint8_t>(byte) & 15];
  }
  return {room.data(), size};
}

std::optional<Health> parse_health(std::string_view bytes) {
  grpc::health::v1::HealthCheckResponse response;
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  switch (response.status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING: return Health::serving;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING: return Health::not_serving;
    case grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN: return Health::service_unknown;
    default: return Health::unknown;
  }
}

}  // namespace

// A connection and what became of it. Lives on while calls are in flight on it.
class LiveConnector::Connection final : public std::enable_shared_from_this<Connection>,
                                        public LiveCall::Carrier,
                                        public StreamCarrier,
                                        public Transport::Owner,
                                        private Keepalive::Peer {
 public:
  Connection(LiveConnector& connector, ConnectionId id, const Dial& dial, Link::Watcher& watcher)
      : loop_(connector.loop_),
        trace_(connector.trace_),
        connector_(connector),
        id_(id),
        dial_(dial),
        watcher_(&watcher),
        transport_(
            std::make_shared<Transport>(loop_, *this, connector.tls_.get(), connector.frames_)),
        keepalive_(loop_, dial_.keepalive, *this) {
    started_ = trace_.emit(dial_.who, dial_.cause,
                           [&] { return ConnectStarted{dial_.subchannel, id_, dial_.attempt}; });
    const bool keepalive = dial_.keepalive.time.count() > 0;
    transport_->connect(dial_.address,
                        {connector_.source_ip_, keepalive ? dial_.keepalive.timeout : Duration{}});
    deadline_ = loop_.at(dial_.deadline, [this] {
      fail(transport_->connected() ? explained("no answer in time") : "connect: no answer in time");
    });
  }

  ~Connection() override { transport_->close(); }

  ConnectionId id() const { return id_; }
  std::string local() const { return transport_->local(); }

  // Nobody holds the link any more: only the calls in flight hold us.
  void let_go() {
    watcher_ = nullptr;
    deadline_.cancel();
  }

  void send(LiveCall& call, Sending asked) {
    call.begin(loop_, shared_from_this(), std::move(asked));
    if (transport_->session().used_up()) lose(Graceful::unknown, up_, kUsedUp);
    if (over_) return call.refuse("the connection is gone");
    if (call.too_long()) return;
    if (!transport_->session().full() && waiting_.empty()) return start(call);
    waiting_.push_back(&call);
    trace_.emit(dial_.who, call.asked().cause, [&] {
      return StreamAwaited{call.asked().call, id_, transport_->session().max_streams()};
    });
  }

  std::unique_ptr<Stream> watch_health(const std::string& service, HealthWatcher& watcher) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    return std::make_unique<LiveStream<Health>>(shared_from_this(), loop_,
                                                "/grpc.health.v1.Health/Watch",
                                                request.SerializeAsString(), parse_health, watcher);
  }

  std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) {
    return std::make_unique<LiveStream<LoadReport>>(
        shared_from_this(), loop_, "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics",
        load_report_request(interval), parse_load_report, watcher);
  }

 private:
  // --- StreamCarrier

  void begin(SideCall& call) override {
    if (transport_->session().used_up()) lose(Graceful::unknown, up_, kUsedUp);
    if (over_) return call.refuse({Code::unavailable, "the connection is gone"});
    if (transport_->session().full()) return waiting_streams_.push_back(&call);
    start(call);
  }

  void end(SideCall& call) override {
    std::erase(waiting_streams_, &call);
    transport_->touch();
  }

  EventId up() const override { return up_; }

  // --- Transport::Owner

  void on_secured(const TlsAgreement& agreement, Duration took) override {
    if (watcher_ == nullptr) return;
    secured_ = trace_.emit(dial_.who, started_, [&] {
      return TlsHandshake{id_, trace_.symbol(agreement.protocol), trace_.symbol(agreement.name),
                          agreement.round_trips, took};
    });
  }

  void on_ready() override {
    if (watcher_ == nullptr) return;
    deadline_.cancel();
    connected_ = true;
    up_ = trace_.emit(dial_.who, std::max(started_, secured_), [&] {
      return Connected{dial_.subchannel, id_, trace_.symbol(transport_->local())};
    });
    keepalive_.start();
    watcher_->on_connected(up_);
  }

  void on_go_away(std::int32_t last_stream, std::uint32_t error, std::string_view debug) override {
    const EventId told = trace_.emit(dial_.who, why_lost(), [&] {
      return GoAwayReceived{id_, static_cast<std::uint32_t>(last_stream),
                            trace_.symbol(reset_name(error)), trace_.symbol(utf8(debug))};
    });
    // The one text that is evidence: gRFC A8 has given it its meaning.
    if (error == kEnhanceYourCalm && debug == "too_many_pings" && watcher_ != nullptr) {
      watcher_->on_too_many_pings(dial_.keepalive.time, told);
    }
    lose(Graceful::yes, told, "GOAWAY");
  }

  void on_pong() override {
    if (pinged_ == EventId::none) return;
    const Duration round_trip = loop_.now() - pinged_at_;
    trace_.emit(dial_.who, pinged_, [&] { return PingAnswered{id_, round_trip}; });
    pinged_ = EventId::none;
  }

  void on_read() override {
    keepalive_.heard();
    start_waiting();
  }

  void on_gone(const std::string& why) override {
    const auto self = shared_from_this();
    if (!connected_) {
      return fail(transport_->connected() ? explained(why) : why);
    }
    lose(Graceful::no, silent_ != EventId::none ? silent_ : why_lost(), why);
  }

  // --- Keepalive::Peer

  bool has_calls() const override {
    return transport_->session().streams() > 0 || !waiting_.empty();
  }

  void ping() override {
    pinged_at_ = loop_.now();
    pinged_ = trace_.emit(dial_.who, up_, [&] { return PingSent{id_}; });
    transport_->session().ping();
    transport_->touch();
  }

  void on_silence() override {
    const Duration waited = dial_.keepalive.timeout;
    silent_ = trace_.emit(dial_.who, pinged_, [&] { return PingUnanswered{id_, waited}; });
    transport_->give_up("no answer to a keepalive PING in " + to_text(waited));
  }

  void on_frame(const Http2Frame& frame) override {
    // A stream's frames follow from its call; the connection's own from its being dialled, or up.
    const auto stream = static_cast<std::uint32_t>(frame.stream);
    const std::size_t place = stream / 2;
    const Carried carried = stream % 2 == 1 && place < carried_.size()
                                ? carried_[place]
                                : Carried{CallId{}, connected_ ? up_ : started_};
    trace_.emit(dial_.who, carried.cause, [&] {
      return FrameSeen{id_,
                       carried.call,
                       stream,
                       frame.length,
                       trace_.symbol(in_hex(frame.excerpt, hex_)),
                       frame.sent,
                       frame.type,
                       frame.flags};
    });
  }

  // --- LiveCall::Carrier

  void on_call_ended(LiveCall& call, const Status& status, Reach reach) override {
    std::erase(waiting_, &call);
    const Sending asked = std::move(call.asked());
    Outcome outcome{status};
    outcome.begun = call.begun();
    outcome.pushback = call.pushback();
    if (status.ok()) outcome.pod = pod_of(call.answered_by());
    outcome.load = call.load();
    if (status.code == Code::unavailable)
      outcome.unsent = call.may_be_sent_again(reach, asked.call);
    start_waiting();
    asked.done(outcome, asked.cause);
  }

  void on_given_up() override { transport_->touch(); }

  // --- Calls

  void start(LiveCall& call) {
    // Streams are numbered 1, 3, 5, ... as they are opened (RFC 9113 5.1.1).
    if (connector_.frames_) carried_.push_back({call.asked().call, call.asked().cause});
    call.send(transport_->session(), connector_.authority_,
              connector_.tls_ == nullptr ? "http" : "https");
    transport_->touch();
    keepalive_.call_begins();
  }

  // It counts as a stream of the connection like any other (gRFC A17, "Caveats").
  void start(SideCall& call) {
    if (connector_.frames_) carried_.push_back({CallId{}, up_});
    call.send(transport_->session(), connector_.authority_,
              connector_.tls_ == nullptr ? "http" : "https");
    transport_->touch();
    keepalive_.call_begins();
  }

  void start_waiting() {
    while (!waiting_streams_.empty() && !transport_->session().full()) {
      if (transport_->session().used_up()) return lose(Graceful::unknown, up_, kUsedUp);
      SideCall* const next = waiting_streams_.front();
      waiting_streams_.pop_front();
      start(*next);
    }
    while (!waiting_.empty() && !transport_->session().full()) {
      if (transport_->session().used_up()) return lose(Graceful::unknown, up_, kUsedUp);
      LiveCall* const next = waiting_.front();
      waiting_.pop_front();
      start(*next);
    }
  }

  Symbol pod_of(const AnsweringPod& pod) {
    const std::string_view name = pod.name.empty() ? pod.ip : pod.name;
    if (name != pod_name_) {  // at the other end is one pod, or a proxy, and then it is seldom new
      pod_name_ = name;
      pod_ = trace_.symbol(name);
    }
    return pod_;
  }

  // --- The end

  // Why a server that takes connections is of no use.
  std::string explained(const std::string& why) const {
    const std::string failure = transport_->tls_failure();
    if (!failure.empty()) return "connected, but TLS failed: " + failure;
    if (transport_->unsecured()) return "connected, but " + why + ": is it a TLS server?";
    return "connected, but " + why + ": is it an HTTP/2 server?" +
           (connector_.tls_ == nullptr ? " Or does it want TLS?" : "");
  }

  void fail(const std::string& why) {
    if (watcher_ == nullptr || connected_) return;
    const std::string reason = to_string(dial_.address) + ": " + why;
    const EventId failed = trace_.emit(dial_.who, started_, [&] {
      return ConnectFailed{dial_.subchannel, id_, trace_.symbol(reason)};
    });
    // The watcher lets go of us.
    const auto self = shared_from_this();
    std::exchange(watcher_, nullptr)->on_connect_failed({Code::unavailable, reason}, failed);
  }

  // It takes no more calls. Before those that it refuses are picked again, so that it is not
  // picked.
  void lose(Graceful graceful, EventId cause, std::string_view why) {
    const auto self = shared_from_this();
    over_ = true;
    if (watcher_ != nullptr) {
      const EventId lost = trace_.emit(dial_.who, cause, [&] {
        return ConnectionLost{dial_.subchannel, id_, graceful, trace_.symbol(why)};
      });
      std::exchange(watcher_, nullptr)->on_lost(lost);
    }
    for (LiveCall* call : std::exchange(waiting_, {})) call->refuse("the connection is gone");
    for (SideCall* call : std::exchange(waiting_streams_, {})) {
      call->refuse({Code::unavailable, "the connection is gone"});
    }
  }

  // What the cluster did to its pod, where we were told; else all there is to say is that it was
  // up.
  EventId why_lost() const {
    EventId cause = up_;
    const auto by_ip = connector_.ended_ips_.find(dial_.address.ip);
    if (by_ip != connector_.ended_ips_.end()) cause = std::max(cause, by_ip->second);
    const auto by_name = connector_.ended_pods_.find(pod_);
    if (by_name != connector_.ended_pods_.end()) cause = std::max(cause, by_name->second);
    return cause;
  }

  Loop& loop_;
  Trace& trace_;
  const LiveConnector& connector_;
  const ConnectionId id_;
  const Dial dial_;
  Link::Watcher* watcher_;  // nullptr: it wants to hear no more
  const std::shared_ptr<Transport> transport_;
  Keepalive keepalive_;
  Time pinged_at_{};
  EventId pinged_ = EventId::none;  // and not answered
  EventId silent_ = EventId::none;  // so it is dead
  EventId started_ = EventId::none;
  EventId secured_ = EventId::none;
  EventId up_ = EventId::none;
  Symbol pod_ = Symbol::none;  // who answered last,
  std::string pod_name_;       // and that word
  Timer deadline_;
  bool connected_ = false;
  bool over_ = false;  // for new calls
  // Only where frames are told: whose stream is which, and the digits of the last frame.
  struct Carried {
    CallId call;
    EventId cause;
  };
  std::vector<Carried> carried_;
  std::array<char, 2 * kFrameExcerpt> hex_;
  std::deque<LiveCall*> waiting_;  // for a stream; of those in flight
  std::deque<SideCall*> waiting_streams_;
};

class LiveConnector::Handle final : public Link {
 public:
  explicit Handle(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Handle() override { connection_->let_go(); }

  ConnectionId id() const override { return connection_->id(); }
  std::string local() const { return connection_->local(); }

  void send(SubchannelCall& subchannel_call, Sending what) override {
    connection_->send(static_cast<LiveSubchannelCall&>(subchannel_call).call(), std::move(what));
  }
  std::unique_ptr<Stream> watch_health(const std::string& service,
                                       HealthWatcher& watcher) override {
    return connection_->watch_health(service, watcher);
  }
  std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) override {
    return connection_->watch_load(interval, watcher);
  }

 private:
  const std::shared_ptr<Connection> connection_;
};

LiveConnector::LiveConnector(Loop& loop, Trace& trace, std::string authority,
                             std::unique_ptr<const TlsClient> tls, std::string source_ip,
                             bool frames)
    : loop_(loop),
      trace_(trace),
      authority_(std::move(authority)),
      tls_(std::move(tls)),
      source_ip_(std::move(source_ip)),
      frames_(frames) {
  require_source_ip(source_ip_);
}

void LiveConnector::pod_ends(Symbol pod, const std::string& ip, EventId event) {
  ended_pods_[pod] = event;
  ended_ips_[ip] = event;
}

std::string LiveConnector::local_address(const Link& link) {
  return static_cast<const Handle&>(link).local();
}

std::unique_ptr<Link> LiveConnector::dial(const Dial& dial, Link::Watcher& watcher) {
  return std::make_unique<Handle>(
      std::make_shared<Connection>(*this, trace_.next_connection(), dial, watcher));
}

}  // namespace greetlab
