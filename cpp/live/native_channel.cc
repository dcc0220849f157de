#include "live/native_channel.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "greet.grpc.pb.h"

namespace greetlab {
namespace {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC

// How many finished calls are taken off the queue before new ones are started: gRPC then reads and
// writes several at once, which takes 10 to 35 % off p99.
constexpr std::size_t kBatch = 64;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

gpr_timespec from_now(std::chrono::milliseconds delay) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(delay.count(), GPR_TIMESPAN));
}

const char* name_of(grpc_connectivity_state state) {
  switch (state) {
    case GRPC_CHANNEL_IDLE: return "IDLE";
    case GRPC_CHANNEL_CONNECTING: return "CONNECTING";
    case GRPC_CHANNEL_READY: return "READY";
    case GRPC_CHANNEL_TRANSIENT_FAILURE: return "TRANSIENT_FAILURE";
    case GRPC_CHANNEL_SHUTDOWN: return "SHUTDOWN";
  }
  return "UNKNOWN";
}

grpc::ChannelArguments arguments(const NativeChannelOptions& options) {
  grpc::ChannelArguments arguments;
  if (!options.policy.empty()) {
    arguments.SetServiceConfigJSON(R"({"loadBalancingConfig":[{")" + options.policy + R"(":{}}]})");
  }
  // Channels to one target would share their connections through a pool that is global to the
  // process: two clients in one process would look like one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC asks the proxy of http_proxy for loopback addresses, too.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 1);
  return arguments;
}

struct Dialled {
  std::shared_ptr<grpc::Channel> channel;
  std::int64_t channelz_id;
};

// gRPC does not tell a channel its channelz id, so nobody else may make a channel between making
// this one and asking for the newest.
Dialled dial(const NativeChannelOptions& options) {
  static std::mutex dialling;
  const std::lock_guard lock(dialling);
  auto channel = grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(),
                                           arguments(options));
  const std::int64_t id = options.connection_per_call ? 0 : newest_channel_id(options.target);
  return {std::move(channel), id};
}

// The article's server tells its pod only in the words of its greeting: "... from pod: name(<pod>),
// ip(<ip>).". We take it from there, so that the lab can be pointed at those pods too.
CalledPod pod_in_words(std::string_view result) {
  static constexpr std::string_view kName = " from pod: name(";
  static constexpr std::string_view kIp = "), ip(";
  const auto name = result.rfind(kName);
  const auto ip = result.rfind(kIp);
  if (name == std::string_view::npos || ip == std::string_view::npos || ip < name ||
      !result.ends_with(").")) {
    return {};
  }
  const auto after_name = name + kName.size();
  const auto after_ip = ip + kIp.size();
  return {std::string(result.substr(after_name, ip - after_name)),
          std::string(result.substr(after_ip, result.size() - 2 - after_ip))};
}

// A call in flight. Used again for the next one when it has ended.
struct Slot {
  std::size_t row = 0;
  std::shared_ptr<grpc::Channel> own_channel;  // connection_per_call
  std::unique_ptr<greet::GreetService::Stub> own_stub;
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<greet::GreetingResponse>> reader;
  greet::GreetingResponse response;
  grpc::Status status;
  std::int64_t end_ns = 0;
};

}  // namespace

class NativeChannel::Impl {
 public:
  explicit Impl(NativeChannelOptions options) : options_(std::move(options)) {
    Dialled dialled = dial(options_);
    channel_ = std::move(dialled.channel);
    channelz_id_ = dialled.channelz_id;
    stub_ = greet::GreetService::NewStub(channel_);
    watch_ = std::thread([this] { watch(); });
  }

  ~Impl() {
    if (getpid() == pid_) {
      close();
      return;
    }
    // A child of os.fork: gRPC's threads and ours are not here, so nothing can be taken down.
    watch_.detach();
    new auto(std::move(channel_));  // kept for ever, on purpose
    new auto(std::move(stub_));
  }

  CallLog run(const Load& load, const Interrupted& interrupted) {
    CallLog log(load.calls);
    if (load.keep_results) log.keep_results();
    if (!enter()) {
      for (std::size_t row = 0; row < load.calls; ++row) cancelled(log, row);
      return log;
    }
    drive(load, interrupted, log);
    leave();
    return log;
  }

  WaitResult wait_ready(bool all, Clock::time_point deadline, const Interrupted& interrupted) {
    // How often channelz is asked: it takes some 20 us, and it is the only one who knows.
    static constexpr std::chrono::milliseconds kAsk{1};
    if (!enter()) return WaitResult::closed;
    WaitResult result = WaitResult::ready;
    for (;;) {
      const bool channel_ready = channel_->GetState(true) == GRPC_CHANNEL_READY;
      if (channel_ready && (!all || all_ready())) break;
      if (closed_) {
        result = WaitResult::closed;
        break;
      }
      if (Clock::now() >= deadline) {
        result = WaitResult::timeout;
        break;
      }
      if (interrupted()) {
        result = WaitResult::interrupted;
        break;
      }
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock,
                          std::min(deadline, Clock::now() + (channel_ready ? kAsk : kAttention)));
    }
    leave();
    return result;
  }

  std::string state() const {
    const std::lock_guard lock(mutex_);
    return channel_ ? name_of(channel_->GetState(false)) : "SHUTDOWN";
  }

  std::vector<SubchannelView> subchannels() const {
    return closed_ ? std::vector<SubchannelView>{} : subchannels_of(channelz_id_);
  }

  void close() {
    if (getpid() != pid_) return;  // a child of os.fork: see the destructor
    {
      std::unique_lock lock(mutex_);
      closed_ = true;
      changed_.notify_all();
      // A signal handler of Python's runs on a thread that is inside: it cannot wait for itself.
      if (std::ranges::count(inside_, std::this_thread::get_id()) > 0) return;
      changed_.wait(lock, [this] { return inside_.empty(); });
    }
    take_down();
  }

 private:
  // Nobody may take the channel down while somebody is inside.
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    inside_.push_back(std::this_thread::get_id());
    return true;
  }

  void leave() {
    bool last_of_a_closed_one = false;
    {
      const std::lock_guard lock(mutex_);
      inside_.erase(std::ranges::find(inside_, std::this_thread::get_id()));
      last_of_a_closed_one = closed_ && inside_.empty();
      changed_.notify_all();
    }
    if (last_of_a_closed_one) take_down();
  }

  // Whoever comes first does it.
  void take_down() {
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

  // The closed loop: `concurrency` calls in flight, each followed by the next.
  void drive(const Load& load, const Interrupted& interrupted, CallLog& log) {
    grpc::CompletionQueue queue;
    greet::GreetingRequest request;
    request.mutable_greeting()->set_first_name(load.first_name);
    request.mutable_greeting()->set_last_name(load.last_name);

    std::vector<Slot> slots(std::min(load.concurrency, load.calls));
    std::vector<Slot*> finished;
    std::size_t next_row = 0;
    std::size_t in_flight = 0;

    const auto start = [&](Slot& slot) {
      slot.row = next_row++;
      slot.context.emplace();
      slot.context->set_deadline(
          std::chrono::system_clock::now() +
          std::chrono::duration_cast<std::chrono::system_clock::duration>(load.timeout));
      slot.response.Clear();
      log.started(slot.row, now_ns());
      if (options_.connection_per_call) {
        slot.own_channel = dial(options_).channel;
        slot.own_stub = greet::GreetService::NewStub(slot.own_channel);
      }
      auto& stub = options_.connection_per_call ? *slot.own_stub : *stub_;
      slot.reader = stub.AsyncGreet(&*slot.context, request, &queue);
      slot.reader->Finish(&slot.response, &slot.status, &slot);
      ++in_flight;
    };
    const auto record = [&](Slot& slot) {
      if (slot.status.ok()) {
        record_answer(slot, log);
      } else {
        log.failed(slot.row, slot.end_ns, slot.status.error_code(), slot.status.error_message());
      }
      slot.own_stub.reset();
      slot.own_channel.reset();
      --in_flight;
    };

    for (Slot& slot : slots) start(slot);
    bool stopping = false;
    auto attention_at = Clock::now() + kAttention;
    while (in_flight > 0) {
      void* tag = nullptr;
      bool ok = false;
      finished.clear();
      gpr_timespec until = from_now(kAttention);
      while (finished.size() < kBatch &&
             queue.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
        finished.push_back(static_cast<Slot*>(tag));
        finished.back()->end_ns = now_ns();
        until = gpr_inf_past(GPR_CLOCK_MONOTONIC);
      }
      for (Slot* slot : finished) record(*slot);
      if (const auto now = Clock::now(); now >= attention_at && !stopping) {
        attention_at = now + kAttention;
        stopping = closed_ || interrupted();
        if (stopping) {
          for (Slot& slot : slots) slot.context->TryCancel();
        }
      }
      if (stopping) continue;
      for (Slot* slot : finished) {
        if (next_row < load.calls) start(*slot);
      }
    }
    // When interrupted, the log goes the way of the call: nobody will look at it.
    if (closed_) {
      while (next_row < load.calls) cancelled(log, next_row++);
    }
    queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
  }

  void record_answer(const Slot& slot, CallLog& log) const {
    const greet::GreetingResponse& response = slot.response;
    if (!log.results.empty()) log.results[slot.row] = response.result();
    const bool tells = !response.pod_name().empty() || !response.pod_ip().empty();
    const CalledPod told = tells ? CalledPod{} : pod_in_words(response.result());
    const std::int32_t pod = tells ? log.pod_row(response.pod_name(), response.pod_ip())
                                   : log.pod_row(told.name, told.ip);
    std::int32_t connection = -1;
    if (!response.peer().empty()) {
      connection = options_.connection_per_call ? log.add_connection(pod, response.peer())
                                                : log.connection_row(pod, response.peer());
    }
    log.answered(slot.row, slot.end_ns, pod, connection,
                 static_cast<std::int64_t>(response.serial()));
  }

  static void cancelled(CallLog& log, std::size_t row) {
    const std::int64_t now = now_ns();
    log.started(row, now);
    log.failed(row, now, grpc::StatusCode::CANCELLED, "not started: the channel was closed");
  }

  const NativeChannelOptions options_;
  const pid_t pid_ = getpid();
  std::int64_t channelz_id_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::thread::id> inside_;
  std::atomic<bool> closed_{false};
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<greet::GreetService::Stub> stub_;
  std::thread watch_;
};

NativeChannel::NativeChannel(NativeChannelOptions options) {
  if (!options.policy.empty() && options.policy != "pick_first" &&
      options.policy != "round_robin") {
    throw std::invalid_argument("policy '" + options.policy +
                                "': gRPC's own channel takes pick_first or round_robin");
  }
  impl_ = std::make_unique<Impl>(std::move(options));
}

NativeChannel::~NativeChannel() = default;

CallLog NativeChannel::run(const Load& load, const Interrupted& interrupted) {
  return impl_->run(load, interrupted);
}

WaitResult NativeChannel::wait_ready(bool all, std::chrono::nanoseconds timeout,
                                     const Interrupted& interrupted) {
  return impl_->wait_ready(all, Clock::now() + timeout, interrupted);
}

std::string NativeChannel::state() const {
  return impl_->state();
}

std::vector<SubchannelView> NativeChannel::subchannels() const {
  return impl_->subchannels();
}

void NativeChannel::close() {
  impl_->close();
}

}  // namespace greetlab
