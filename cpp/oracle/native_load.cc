#include "oracle/native_load.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "channel/answer.h"
#include "core/interrupted.h"
#include "core/rng.h"
#include "rpc/said.h"
#include "rpc/timespec.h"

namespace greetlab {
namespace {

// How many finished calls are taken off the queue before new ones are started: gRPC then reads and
// writes several at once, which takes 10 to 35 % off p99.
constexpr std::size_t kBatch = 64;

Time now() {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

std::int64_t ns(Time time) {
  return time.time_since_epoch().count();
}

// A call in flight. Used again for the next one when it has ended.
struct Slot {
  std::size_t row = 0;
  CallRecorder::Begun begun;
  std::shared_ptr<grpc::Channel> own_channel;  // dialled for this call
  std::unique_ptr<greet::GreetService::Stub> own_stub;
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<greet::GreetingResponse>> reader;
  greet::GreetingResponse response;
  grpc::Status status;
  Time end;
};

class NativeLoad {
 public:
  NativeLoad(const GreetLoad& load, const NativeRoute& route, CallRecorder& recorder)
      : config_(load.config),
        rng_(load.config.seed),
        route_(route),
        recorder_(recorder),
        log_(load.make_log()) {
    request_.mutable_greeting()->set_first_name(load.first_name);
    request_.mutable_greeting()->set_last_name(load.last_name);
  }

  CallLog run(const std::function<bool()>& stop) {
    const std::size_t first = paced() ? 1 : std::min(config_.concurrency, config_.calls);
    for (std::size_t i = 0; i < first; ++i) start_next();
    next_at_ = now() + config_.interval.draw(rng_);
    Time attention_at = now() + kAttention;
    bool stopping = false;
    while (in_flight_ > 0 || (started_ < config_.calls && !stopping)) {
      const bool waits = paced() && started_ < config_.calls && !stopping;
      take_finished(waits ? std::min(attention_at, next_at_) : attention_at);
      for (Slot* slot : finished_) record(*slot);
      if (!stopping && now() >= attention_at) {
        attention_at = now() + kAttention;
        stopping = stop();
        if (stopping) {
          for (Slot& slot : slots_) {
            if (slot.context) slot.context->TryCancel();
          }
        }
      }
      if (stopping) {
        attention_at = now() + kAttention;
        continue;
      }
      if (!paced()) {
        for (std::size_t i = 0; i < finished_.size(); ++i) start_next();
      } else if (now() >= next_at_) {
        start_next();
        next_at_ += config_.interval.draw(rng_);
      }
    }
    while (started_ < config_.calls) {
      log_.started(started_, ns(now()));
      log_.failed(started_++, ns(now()), grpc::StatusCode::CANCELLED, "not started: cancelled");
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    return std::move(log_);
  }

 private:
  bool paced() const { return !config_.interval.is_zero(); }

  void start_next() {
    if (started_ == config_.calls) return;
    if (free_.empty()) free_.push_back(&slots_.emplace_back());
    Slot& slot = *free_.back();
    free_.pop_back();
    slot.row = started_++;
    slot.context.emplace();
    slot.context->set_deadline(to_timespec(now() + config_.timeout));
    if (config_.wait_for_ready) slot.context->set_wait_for_ready(true);  // else a config may
    for (const auto& [name, value] : config_.metadata) slot.context->AddMetadata(name, value);
    if (config_.keys > 0) {
      slot.context->AddMetadata(config_.key_header, std::to_string(slot.row % config_.keys + 1));
    }
    slot.response.Clear();
    const Time begin = now();
    log_.started(slot.row, ns(begin));
    slot.begun = recorder_.started(begin, config_.wait_for_ready);
    if (route_.dial) {
      slot.own_channel = route_.dial();
      slot.own_stub = greet::GreetService::NewStub(slot.own_channel);
    }
    auto& stub = route_.dial ? *slot.own_stub : *route_.stub;
    slot.reader = stub.AsyncGreet(&*slot.context, request_, &queue_);
    slot.reader->Finish(&slot.response, &slot.status, &slot);
    ++in_flight_;
  }

  void take_finished(Time until) {
    void* tag = nullptr;
    bool ok = false;
    finished_.clear();
    gpr_timespec wait = to_timespec(until);
    while (finished_.size() < kBatch &&
           queue_.AsyncNext(&tag, &ok, wait) == grpc::CompletionQueue::GOT_EVENT) {
      finished_.push_back(static_cast<Slot*>(tag));
      finished_.back()->end = now();
      wait = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    }
  }

  void record(Slot& slot) {
    const Code code = code_of(slot.status.error_code());
    if (slot.status.ok()) {
      // gRPC does not tell over which connection: it is known by the end that the pod saw of it.
      log_answer(log_, slot.row, ns(slot.end), slot.response,
                 [&](std::int32_t pod, std::string_view peer) {
                   if (peer.empty()) return -1;
                   return route_.dial != nullptr ? log_.add_connection(pod, peer)
                                                 : log_.connection_row(pod, peer);
                 });
    } else {
      log_.failed(slot.row, ns(slot.end), static_cast<int>(code), said(slot.status));
    }
    if (recorder_.on()) {
      const AnsweringPod pod = slot.status.ok() ? answering_pod(slot.response) : AnsweringPod{};
      recorder_.ended(slot.end, slot.begun, code, pod.name.empty() ? pod.ip : pod.name,
                      slot.status.ok() ? slot.response.peer() : "", said(slot.status));
    }
    slot.own_stub.reset();
    slot.own_channel.reset();
    free_.push_back(&slot);
    --in_flight_;
  }

  const LoadConfig config_;
  Rng rng_;
  const NativeRoute& route_;
  CallRecorder& recorder_;
  CallLog log_;
  greet::GreetingRequest request_;
  grpc::CompletionQueue queue_;
  std::deque<Slot> slots_;  // a deque never moves what it holds
  std::vector<Slot*> free_;
  std::vector<Slot*> finished_;
  std::size_t started_ = 0;
  std::size_t in_flight_ = 0;
  Time next_at_{};
};

}  // namespace

CallLog run_native_load(const GreetLoad& load, const NativeRoute& route, CallRecorder& recorder,
                        const std::function<bool()>& stop) {
  return NativeLoad(load, route, recorder).run(stop);
}

}  // namespace greetlab
