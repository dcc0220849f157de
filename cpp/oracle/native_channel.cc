#include "oracle/native_channel.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "channel/credentials.h"
#include "channel/gate.h"
#include "channel/own_process.h"
#include "greet.grpc.pb.h"
#include "oracle/channelz.h"
#include "oracle/native_calls.h"
#include "oracle/native_load.h"
#include "oracle/native_method.h"
#include "rpc/mutex_checks.h"

namespace greetlab {
namespace {

using Steady = std::chrono::steady_clock;  // CLOCK_MONOTONIC

// GRPC_ARG_TEST_ONLY_DO_NOT_USE_IN_PROD_XDS_BOOTSTRAP_CONFIG, which no public header has.
constexpr const char* kXdsBootstrap = "grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config";

ConnectivityState our(grpc_connectivity_state state) {
  switch (state) {
    case GRPC_CHANNEL_IDLE: return ConnectivityState::idle;
    case GRPC_CHANNEL_CONNECTING: return ConnectivityState::connecting;
    case GRPC_CHANNEL_READY: return ConnectivityState::ready;
    case GRPC_CHANNEL_TRANSIENT_FAILURE: return ConnectivityState::transient_failure;
    case GRPC_CHANNEL_SHUTDOWN: break;
  }
  return ConnectivityState::shutdown;
}

/// The part of a service config that names a policy; empty for pick_first as it is: that is gRPC's
/// own default, and is left to it.
std::string balancing(const PolicyConfig& policy) {
  const auto shuffle = policy.fields.find("shuffleAddressList");
  const bool on = shuffle != policy.fields.end() && shuffle->second != 0;
  if (policy.policy == "pick_first" && !on) return "";
  return R"("loadBalancingConfig":[{")" + policy.policy + R"(":)" +
         (on ? R"({"shuffleAddressList":true})" : "{}") + "}]";
}

/// A service config, as gRPC reads it: as it came, with the policy if it has none; empty: none.
std::string service_config(const ChannelOptions& options) {
  const std::string policy = balancing(options.policy);
  if (options.service_config == nullptr) return policy.empty() ? "" : '{' + policy + '}';
  const std::string& text = options.service_config->text;
  if (options.service_config->policy || policy.empty()) return text;
  return '{' + policy + (text == "{}" ? "" : ",") + text.substr(1);
}

int milliseconds(Duration duration) {
  return static_cast<int>(
      std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count(),
                             std::numeric_limits<int>::max()));
}

grpc::ChannelArguments arguments(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  if (const std::string config = service_config(options); !config.empty()) {
    arguments.SetServiceConfigJSON(config);
  }
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, !options.dns_service_config);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, milliseconds(options.cooldown));
  if (const KeepaliveConfig& keepalive = options.keepalive; keepalive.time.count() > 0) {
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(keepalive.time));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(keepalive.timeout));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, keepalive.without_calls);
    // Its own limit of two pings that no data goes between is not A8's (grpc/grpc
    // doc/keepalive.md).
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  }
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, options.idle_timeout.count() > 0
                                                        ? milliseconds(options.idle_timeout)
                                                        : std::numeric_limits<int>::max());
  // Channels to one target would share their connections through a pool that is global to the
  // process: two clients in one process would look like one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC asks the proxy of http_proxy for loopback addresses, too.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 1);
  // Its trace of events nobody reads here, and 1.51 reads it while it is written: who asked for a
  // subchannel's state meanwhile died of it ("CT_UNKNOWN", 5 of 40 runs).
  arguments.SetInt(GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
  // Each channel has an xDS client of its own so, whom the control plane can tell from others: by
  // the environment there is one for the process, and it is read when somebody first connects.
  if (const std::string& bootstrap = options.xds_bootstrap; !bootstrap.empty()) {
    arguments.SetString(kXdsBootstrap, bootstrap);
  }
  if (const std::string& name = options.tls.server_name; !name.empty()) {
    arguments.SetSslTargetNameOverride(name);
  }
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const TlsOptions& options) {
  const Credentials read = read_credentials(options);
  if (!options.on) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({read.ca, read.key, read.cert});
}

struct Dialled {
  std::shared_ptr<grpc::Channel> channel;
  std::int64_t channelz_id;
};

// gRPC does not tell a channel its channelz id, so nobody else may make a channel between making
// this one and asking for the newest.
Dialled dial(const ChannelOptions& options) {
  static std::mutex dialling;
  const std::lock_guard lock(dialling);
  auto channel =
      grpc::CreateCustomChannel(options.target, credentials(options.tls), arguments(options));
  const std::int64_t id = options.connection_per_call ? 0 : newest_channel_id(options.target);
  return {std::move(channel), id};
}

class NativeChannel final : public GreetChannel {
 public:
  explicit NativeChannel(ChannelOptions options)
      : options_(checked(std::move(options))),
        recorder_(options_.name, options_.trace_capacity, options_.listener),
        calls_(recorder_) {
    Dialled dialled = dial(options_);
    channel_ = std::move(dialled.channel);
    channelz_id_ = dialled.channelz_id;
    stub_ = greet::GreetService::NewStub(channel_);
    watch_ = std::thread([this] { watch(); });
  }

  ~NativeChannel() override { close(); }

  CallLog run(const GreetLoad& load, const Interrupted& interrupted) override {
    if (!enter()) return cancelled_log(load);
    NativeRoute route{stub_.get(), {}};
    if (options_.connection_per_call) route.dial = [this] { return dial(options_).channel; };
    CallLog log =
        run_native_load(load, route, recorder_, [&] { return gate_.closed() || interrupted(); });
    leave();
    return log;
  }

  Cancel greet(greet::GreetingRequest request, Duration timeout, GreetDone done) override {
    if (!enter()) {
      done({Code::cancelled, "the channel is closed"}, {});
      return [] {};
    }
    Cancel cancel = calls_.start(*stub_, std::move(request), timeout, std::move(done));
    leave();
    return cancel;
  }

  MethodAnswer call(MethodRequest request, const Interrupted& interrupted) override {
    const MethodRequest what = sendable(std::move(request));
    if (!enter()) return {{Code::cancelled, "the channel is closed"}, {}, {}, {}};
    MethodAnswer answer = call_native_method(channel_, what, recorder_,
                                             [&] { return gate_.closed() || interrupted(); });
    leave();
    return answer;
  }

  WaitResult wait_ready(bool all, Duration timeout, const Interrupted& interrupted) override {
    const auto deadline = Steady::now() + timeout;
    if (!enter()) return WaitResult::closed;
    const WaitResult result = await_ready(all, deadline, interrupted);
    leave();
    return result;
  }

  ConnectivityState state(bool connect) override {
    require_own_process();
    const std::lock_guard lock(mutex_);
    return channel_ ? our(channel_->GetState(connect)) : ConnectivityState::shutdown;
  }

  std::vector<SubchannelView> subchannels() override {
    require_own_process();
    return gate_.closed() ? std::vector<SubchannelView>{} : subchannels_of(channelz_id_);
  }

  void tell_xds(const XdsSaid& said) override { recorder_.told(said); }
  void tell_proxy(const ProxySaid& said) override { recorder_.told(said); }

  std::span<const Event> events() const override { return recorder_.events(); }
  const Symbols& symbols() const override { return recorder_.symbols(); }
  std::uint64_t dropped() const override { return recorder_.dropped(); }

  void close() override {
    if (in_forked_child()) return;  // the threads are its parent's
    gate_.close();
    changed_.notify_all();
    if (gate_.wait_until_empty()) take_down();
  }

 private:
  // How often channelz is asked: it takes some 20 us, and it is the only one who knows.
  static constexpr std::chrono::milliseconds kAsk{1};

  // Before gRPC is used.
  static ChannelOptions checked(ChannelOptions options) {
    require_own_process();
    skip_mutex_checks();
    // gRPC's words for our "static:".
    static constexpr std::string_view kStatic = "static:";
    if (options.target.starts_with(kStatic)) {
      const bool v6 = options.target.starts_with("static:[");
      options.target.replace(0, kStatic.size(), v6 ? "ipv6:" : "ipv4:");
    }
    return options;
  }

  bool enter() {
    require_own_process();
    return gate_.enter();
  }
  void leave() {
    if (gate_.leave()) take_down();
  }

  WaitResult await_ready(bool all, Steady::time_point deadline, const Interrupted& interrupted) {
    for (;;) {
      const bool channel_ready = channel_->GetState(true) == GRPC_CHANNEL_READY;
      if (channel_ready && (!all || all_ready())) return WaitResult::ready;
      if (gate_.closed()) return WaitResult::closed;
      if (Steady::now() >= deadline) return WaitResult::timeout;
      if (interrupted()) return WaitResult::interrupted;
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock,
                          std::min(deadline, Steady::now() + (channel_ready ? kAsk : kAttention)));
    }
  }

  // Whoever comes first does it.
  void take_down() {
    calls_.cancel();
    let_connect();
    std::shared_ptr<grpc::Channel> channel;
    {
      const std::lock_guard lock(mutex_);
      if (!channel_) return;
      stub_.reset();
      channel = std::move(channel_);
    }
    channel.reset();  // the last owner: gRPC ends the watch with SHUTDOWN
    watch_.join();
  }

  // A subchannel of 1.51 that is connected after its channel has gone forgets its socket for ever
  // (Subchannel::OnConnectingFinishedLocked drops the transport and does not destroy it: 60
  // channels left 334). So those that connect get a moment to. With a silent server it is not
  // enough, and then gRPC's own deadline of 20 s gives the socket back.
  void let_connect() {
    static constexpr std::chrono::milliseconds kMoment{200};
    const auto end = Steady::now() + kMoment;
    const auto connects = [](const SubchannelView& view) { return view.state == "CONNECTING"; };
    std::unique_lock lock(mutex_);
    while (channel_ && Steady::now() < end &&
           std::ranges::any_of(subchannels_of(channelz_id_), connects)) {
      changed_.wait_for(lock, kAsk);
    }
  }

  // Without somebody who polls, gRPC notices nothing between calls: not the end of a connection,
  // not the answer of a resolver. So one thread always waits for the next change of state.
  void watch() {
    grpc::CompletionQueue queue;
    void* tag = nullptr;
    bool ok = false;
    std::weak_ptr<grpc::Channel> watched = channel_weak();
    for (;;) {
      {
        const auto channel = watched.lock();
        if (!channel) break;
        const auto seen = channel->GetState(false);
        // A channel for a target that makes no sense is in TRANSIENT_FAILURE for ever and does not
        // end the watch when it goes: only a deadline does.
        const auto deadline =
            seen == GRPC_CHANNEL_TRANSIENT_FAILURE
                ? gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_millis(100, GPR_TIMESPAN))
                : gpr_inf_future(GPR_CLOCK_REALTIME);
        channel->NotifyOnStateChange(seen, deadline, &queue, nullptr);
      }
      queue.Next(&tag, &ok);
      changed_.notify_all();
    }
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
  }

  std::weak_ptr<grpc::Channel> channel_weak() const {
    const std::lock_guard lock(mutex_);
    return channel_;
  }

  bool all_ready() const {
    const auto views = subchannels_of(channelz_id_);
    return !views.empty() &&
           std::all_of(views.begin(), views.end(),
                       [](const SubchannelView& view) { return view.state == "READY"; });
  }

  const ChannelOptions options_;
  CallRecorder recorder_;
  NativeCalls calls_;
  Gate gate_;
  std::int64_t channelz_id_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<greet::GreetService::Stub> stub_;
  std::thread watch_;
};

}  // namespace

std::unique_ptr<GreetChannel> open_native_channel(ChannelOptions options) {
  const ServiceConfig* config = options.service_config.get();
  if (config != nullptr && std::ranges::any_of(config->methods, [](const MethodConfig& method) {
        return method.hedging.has_value();
      })) {
    throw std::invalid_argument(
        "hedgingPolicy: gRPC's own channel here is C-core, which has no hedging and would ignore "
        "it; "
        "the engine 'lab' has it");
  }
  const std::string& policy = options.policy.policy;
  const bool says_itself = config != nullptr && config->policy;  // what gRPC makes of it is shown
  if (!says_itself && policy != "pick_first" && policy != "round_robin") {
    throw std::invalid_argument("policy '" + policy +
                                "': gRPC's own channel takes pick_first or round_robin");
  }
  if (options.target.starts_with("watch:") || options.target.starts_with("k8s:")) {
    throw std::invalid_argument("target '" + options.target +
                                "': gRPC's own channel asks DNS, and nobody can tell it anything; "
                                "the engine 'lab' is told (watch:///, k8s:///)");
  }
  return std::make_unique<NativeChannel>(std::move(options));
}

}  // namespace greetlab
