#include "live/connector.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "channel/answer.h"
#include "greet.grpc.pb.h"
#include "live/greet_exchange.h"
#include "rpc/said.h"
#include "rpc/timespec.h"

namespace greetlab {
namespace {

grpc::ChannelArguments connection_arguments(const std::string& authority) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, authority);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);          // picking again is the core's
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);         // its timers wake a thread
  arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);           // no filters that we do not use ...
  arguments.SetInt(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1);  // ... but for this one
  return arguments;
}

// The words by which gRPC 1.51's transport refuses a call of which it has sent nothing
// (chttp2_transport.cc). There is no other sign; a version with other words would show such calls
// as failed, not wrongly as sent twice.
enum class Refusal { none, goaway, closed };
Refusal refusal(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return Refusal::none;
  const std::string& why = status.error_message();
  if (why.find("GOAWAY received") != std::string::npos) return Refusal::goaway;
  if (why.find("Transport closed") != std::string::npos) return Refusal::closed;
  return Refusal::none;
}

}  // namespace

// A socket and what became of it. Lives on while calls are in flight on it.
class LiveConnector::Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(LiveConnector& world, ConnectionId id, const Dial& dial, Link::Watcher& watcher)
      : loop_(world.loop_),
        sockets_(world.sockets_),
        trace_(world.trace_),
        world_(world),
        id_(id),
        dial_(dial),
        watcher_(&watcher) {
    started_ = trace_.emit(dial_.who, dial_.because,
                           [&] { return ConnectStarted{dial_.subchannel, id_, dial_.attempt}; });
  }

  ~Connection() { hang_up(); }

  ConnectionId id() const { return id_; }
  const std::string& local() const { return local_; }

  void begin() {
    socket_ = sockets_.connect(dial_.address, {[this](std::error_code error) { on_socket(error); },
                                               [this] { on_hung_up(); }});
    deadline_ = loop_.at(dial_.deadline, [this] {
      fail(stub_ ? "connected, but no answer in time: is it an HTTP/2 server?"
                 : "connect: no answer in time");
    });
  }

  // Nobody holds the link any more.
  void let_go() {
    watcher_ = nullptr;
    if (probe_) probe_->context.TryCancel();
    deadline_.cancel();
    if (in_flight_ == 0) hang_up();
  }

  void send(GreetExchange& exchange, Time deadline, EventId because, Link::Done done) {
    ++in_flight_;
    exchange.send(*stub_, loop_, deadline,
                  [self = shared_from_this(), because, done = std::move(done)](
                      const grpc::Status& status, const greet::GreetingResponse& response) {
                    self->on_call_ended(status, response, because, done);
                  });
  }

 private:
  // The first question. Its answer shows that the server speaks HTTP/2. Owns itself.
  struct Probe final : Loop::Tag {
    std::weak_ptr<Connection> connection;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;

    void proceed(bool) override {
      const std::unique_ptr<Probe> self(this);
      if (const auto there = connection.lock()) there->on_probe_ended(status);
    }
  };

  void on_socket(std::error_code error) {
    if (error) return fail("connect: " + error.message());
    local_ = sockets_.local_address(socket_);
    try {
      open_channel();
    } catch (const std::system_error& failure) {  // no descriptors left
      return fail(failure.what());
    }
    probe_ = new Probe;
    probe_->connection = weak_from_this();
    probe_->context.set_deadline(to_timespec(dial_.deadline));
    // An empty HealthCheckRequest: "how are you, server?"
    static const grpc::Slice nothing("");
    const grpc::ByteBuffer question(&nothing, 1);
    probe_->reader = grpc::GenericStub(channel_).PrepareUnaryCall(
        &probe_->context, "/grpc.health.v1.Health/Check", question, loop_.queue());
    probe_->reader->StartCall();
    probe_->reader->Finish(&probe_->answer, &probe_->status, probe_);
  }

  void open_channel() {
    Descriptor fd = sockets_.duplicate(socket_);
    channel_ =
        grpc::CreateCustomInsecureChannelFromFd(world_.authority_, fd.release(), world_.arguments_);
    stub_ = greet::GreetService::NewStub(channel_);
  }

  void on_probe_ended(const grpc::Status& status) {
    probe_ = nullptr;
    if (watcher_ == nullptr) return;
    // UNIMPLEMENTED, NOT_SERVING, UNAVAILABLE: an answer is an answer. What gRPC itself says of a
    // connection that broke looks like one; but then the connection is closed.
    const bool timed_out = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (timed_out || (!status.ok() && sockets_.hung_up(socket_))) {
      return fail(said(status));
    }
    deadline_.cancel();
    connected_ = true;
    up_ = trace_.emit(dial_.who, started_,
                      [&] { return Connected{dial_.subchannel, id_, trace_.symbol(local_)}; });
    const auto self = shared_from_this();  // the watcher may let go of us
    watcher_->on_connected(up_);
    if (gone_ && in_flight_ == 0) lose(Graceful::unknown);
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

  void on_hung_up() {
    gone_ = true;
    if (!connected_) return;  // the probe says more, and comes in any case
    if (in_flight_ == 0) lose(Graceful::unknown);
    // Else it is the calls that tell how it ended: gRPC ends each of them now.
  }

  void on_call_ended(const grpc::Status& status, const greet::GreetingResponse& response,
                     EventId because, const Link::Done& done) {
    --in_flight_;
    Outcome outcome{{code_of(status.error_code()), said(status)}, Symbol::none, false};
    if (status.ok()) outcome.pod = pod_of(response);
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
      const Refusal refused = refusal(status);
      const bool closed = gone_ || sockets_.hung_up(socket_);
      // Any application may say that its transport is closed; the kernel knows. Of a GOAWAY there
      // is nothing but the words, so the channel does not believe them for ever.
      outcome.unsent = refused == Refusal::goaway || (refused == Refusal::closed && closed);
      // Before the call is picked again: this connection must not be picked any more.
      if (refused == Refusal::goaway) {
        lose(Graceful::yes);
      } else if (refused == Refusal::closed || closed) {
        lose(refused == Refusal::closed ? Graceful::unknown : Graceful::no);
      }
    }
    if (gone_ && in_flight_ == 0) lose(Graceful::unknown);
    done(outcome, because);
    if (watcher_ == nullptr && in_flight_ == 0) hang_up();
  }

  Symbol pod_of(const greet::GreetingResponse& response) {
    const AnsweringPod pod = answering_pod(response);
    const std::string_view name = pod.name.empty() ? pod.ip : pod.name;
    if (name != pod_name_) {  // at the other end is one pod, or a proxy, and then it is seldom new
      pod_name_ = name;
      pod_ = trace_.symbol(name);
    }
    return pod_;
  }

  void lose(Graceful graceful) {
    if (watcher_ == nullptr) return;
    const EventId lost = trace_.emit(
        dial_.who, why_lost(), [&] { return ConnectionLost{dial_.subchannel, id_, graceful}; });
    const auto self = shared_from_this();
    std::exchange(watcher_, nullptr)->on_lost(lost);
  }

  // What the cluster did to its pod, where we were told; else all there is to say is that it was
  // up.
  EventId why_lost() const {
    EventId cause = up_;
    const auto by_ip = world_.ended_ips_.find(dial_.address.ip);
    if (by_ip != world_.ended_ips_.end()) cause = std::max(cause, by_ip->second);
    const auto by_name = world_.ended_pods_.find(pod_);
    if (by_name != world_.ended_pods_.end()) cause = std::max(cause, by_name->second);
    return cause;
  }

  void hang_up() {
    stub_.reset();
    channel_.reset();
    if (socket_ != 0) sockets_.forget(std::exchange(socket_, 0));
  }

  Loop& loop_;
  Sockets& sockets_;
  Trace& trace_;
  const LiveConnector& world_;
  const ConnectionId id_;
  const Dial dial_;
  Link::Watcher* watcher_;  // nullptr: it wants to hear no more
  EventId started_ = EventId::none;
  EventId up_ = EventId::none;
  Sockets::Id socket_ = 0;
  std::string local_;
  Symbol pod_ = Symbol::none;  // who answered last,
  std::string pod_name_;       // and that word
  Timer deadline_;
  Probe* probe_ = nullptr;  // while it is asked
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<greet::GreetService::Stub> stub_;
  bool connected_ = false;
  bool gone_ = false;  // the other side has hung up
  std::uint32_t in_flight_ = 0;
};

class LiveConnector::Handle final : public Link {
 public:
  explicit Handle(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Handle() override { connection_->let_go(); }

  ConnectionId id() const override { return connection_->id(); }
  std::string local() const { return connection_->local(); }

  void send(CallId, Exchange& exchange, Time deadline, EventId because, Done done) override {
    connection_->send(static_cast<GreetExchange&>(exchange), deadline, because, std::move(done));
  }

 private:
  const std::shared_ptr<Connection> connection_;
};

LiveConnector::LiveConnector(Loop& loop, Sockets& sockets, Trace& trace, std::string authority)
    : loop_(loop),
      sockets_(sockets),
      trace_(trace),
      arguments_(connection_arguments(authority)),
      authority_(std::move(authority)) {}

void LiveConnector::pod_ends(Symbol pod, const std::string& ip, EventId event) {
  ended_pods_[pod] = event;
  ended_ips_[ip] = event;
}

std::string LiveConnector::local_address(const Link& link) {
  return static_cast<const Handle&>(link).local();
}

std::unique_ptr<Link> LiveConnector::dial(const Dial& dial, Link::Watcher& watcher) {
  const auto connection =
      std::make_shared<Connection>(*this, trace_.next_connection(), dial, watcher);
  connection->begin();
  return std::make_unique<Handle>(connection);
}

}  // namespace greetlab
