#include "greet/greet_calls.h"

#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <optional>
#include <utility>

#include "greet/orca.h"

namespace greetlab {
namespace {

constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 365);

grpc::Status injected_error(const Failing& failing, grpc::ServerContext& context) {
  if (failing.pushback) {
    const auto when = std::chrono::duration_cast<std::chrono::milliseconds>(*failing.pushback);
    context.AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(when.count()));
  }
  const Status status = failing.status();
  return {static_cast<grpc::StatusCode>(status.code), status.message};
}

const grpc::Status& queue_full() {
  static const grpc::Status status(grpc::StatusCode::RESOURCE_EXHAUSTED, kQueueFull);
  return status;
}

// Greet: arrived -> (waiting) -> (being served) -> answered. Only a call that may have to wait asks
// gRPC to be told of its client's end, which costs a turn of the queue: it gives up its place in
// the line then. At the deadline that it was sent with (grpc-timeout), gRPC ends it in the same
// way. One that is being served goes on to its end: few handlers look up.
class GreetCall final : public Tag {
 public:
  explicit GreetCall(GreetDesk& desk) : desk_(desk), ended_seen_(!desk.options.capacity) {
    if (!ended_seen_) context_.AsyncNotifyWhenDone(&ended_);
    desk.service.RequestGreet(&context_, &request_, &writer_, desk.queue.get(), desk.queue.get(),
                              this);
  }

  void proceed(bool ok) override {
    switch (step_) {
      case Step::arrived:
        if (!ok) {  // the server stops; `ended_` never comes for a call that never began
          delete this;
          return;
        }
        await_greet(desk_);
        return come();
      case Step::waiting: return take_place();
      case Step::being_served: desk_.queue.waited(*alarm_); return answer();
      case Step::answered:
        finished_ = true;
        release();
        return;
    }
  }

  void drop(bool ok) override {
    if (step_ == Step::arrived && !ok) ended_seen_ = true;
    finished_ = true;
    release();
  }

 private:
  enum class Step { arrived, waiting, being_served, answered };

  struct Ended final : Tag {
    explicit Ended(GreetCall& call) : call(call) {}
    void proceed(bool) override {
      if (call.step_ == Step::waiting) call.leave();
      call.ended_seen_ = true;
      call.release();
    }
    void drop(bool) override {  // it is a part of the call
      if (call.step_ == Step::waiting) call.finished_ = true;
      call.ended_seen_ = true;
      call.release();
    }
    GreetCall& call;
  };

  void come() {
    if (desk_.places == nullptr) return serve();
    switch (desk_.places->arrive(this, monotonic_now())) {
      case Entry::begun: return serve();
      case Entry::waits: step_ = Step::waiting; return;
      case Entry::refused: return fail(queue_full());
    }
  }

  void take_place() {
    if (context_.deadline() > std::chrono::system_clock::now()) return serve();
    give_place(false);
    fail({grpc::StatusCode::DEADLINE_EXCEEDED, "it has waited for too long"});
  }

  void leave() {
    desk_.places->leave(this);
    fail(grpc::Status::CANCELLED);
  }

  void serve() {
    const auto takes = desk_.behaviour.draw_service_time();
    if (takes.count() == 0) return answer();
    step_ = Step::being_served;
    desk_.queue.wait(alarm_.emplace(), takes, this);
  }

  void answer() {
    const bool fails = desk_.behaviour.draw_error();
    if (desk_.places != nullptr) give_place(!fails);
    if (fails) return fail(injected_error(desk_.behaviour.failing(), context_));
    step_ = Step::answered;
    greet::GreetingResponse response;
    desk_.greeter.greet(request_.greeting(), context_.peer(), response);
    report_load();
    writer_.Finish(response, grpc::Status::OK, this);
  }

  void fail(const grpc::Status& status) {
    step_ = Step::answered;
    report_load();
    writer_.FinishWithError(status, this);
  }

  void report_load() {
    if (!desk_.options.load_reports) return;
    context_.AddTrailingMetadata(kLoadReportTrailer,
                                 serialized(desk_.places->report(monotonic_now())));
  }

  // To whoever is next. One that is served in no time gives its place away in turn, from in here.
  void give_place(bool ok) {
    desk_.places->end(ok, monotonic_now());
    if (std::exchange(desk_.handing_out, true)) return;
    while (const auto next = desk_.places->next(monotonic_now())) (*next)->proceed(true);
    desk_.handing_out = false;
  }

  void release() {
    if (finished_ && ended_seen_) delete this;
  }

  GreetDesk& desk_;
  Step step_ = Step::arrived;
  bool finished_ = false;
  bool ended_seen_;
  Ended ended_{*this};
  grpc::ServerContext context_;
  greet::GreetingRequest request_;
  grpc::ServerAsyncResponseWriter<greet::GreetingResponse> writer_{&context_};
  std::optional<grpc::Alarm> alarm_;  // most calls never wait
};

// A stream takes up no place of the pod's: it is mostly pauses.
// GreetStream: arrived -> (pause -> reply)* -> finished. gRPC tells of the client's end by a tag of
// its own (`Ended`), so that a long pause does not hold a stream whose client has gone.
class GreetStreamCall final : public Tag {
 public:
  explicit GreetStreamCall(GreetDesk& desk) : desk_(desk) {
    context_.AsyncNotifyWhenDone(&ended_);
    desk.service.RequestGreetStream(&context_, &request_, &writer_, desk.queue.get(),
                                    desk.queue.get(), this);
  }

  void proceed(bool ok) override {
    if (step_ == Step::pausing) desk_.queue.waited(alarm_);
    if (step_ == Step::arrived) {
      if (!ok) {  // the server stops; `ended_` is never delivered for a call that never began
        delete this;
        return;
      }
      await_greet_stream(desk_);
      reply();
    } else if (step_ == Step::finished) {
      finished_ = true;
      release();
    } else if (context_.IsCancelled() || (step_ == Step::replying && !ok)) {
      finish(grpc::Status::CANCELLED);
    } else if (step_ == Step::replying) {
      pause();
    } else {
      reply();
    }
  }

  void drop(bool ok) override {
    if (step_ == Step::arrived && !ok) {
      delete this;
      return;
    }
    finished_ = true;
    release();
  }

 private:
  enum class Step { arrived, replying, pausing, finished };

  struct Ended final : Tag {
    explicit Ended(GreetStreamCall& call) : call(call) {}
    void proceed(bool) override {
      call.ended_seen_ = true;
      if (call.context_.IsCancelled()) call.alarm_.Cancel();
      call.release();
    }
    void drop(bool) override {  // it is a part of the call
      call.ended_seen_ = true;
      call.release();
    }
    GreetStreamCall& call;
  };

  void reply() {
    if (desk_.behaviour.draw_error()) {
      finish(injected_error(desk_.behaviour.failing(), context_));
      return;
    }
    step_ = Step::replying;
    greet::GreetingResponse response;
    desk_.greeter.greet(request_.greeting(), context_.peer(), response);
    ++replies_;
    writer_.Write(response, this);
  }

  void pause() {
    if (request_.count() != 0 && replies_ >= request_.count()) {
      finish(grpc::Status::OK);
      return;
    }
    step_ = Step::pausing;
    // Whole seconds first: a client may ask for more than nanoseconds can count.
    const std::chrono::nanoseconds interval =
        request_.interval().seconds() > kLongest.count()
            ? kLongest
            : std::chrono::nanoseconds(
                  google::protobuf::util::TimeUtil::DurationToNanoseconds(request_.interval()));
    desk_.queue.wait(alarm_, interval + desk_.behaviour.draw_service_time(), this);
  }

  void finish(const grpc::Status& status) {
    step_ = Step::finished;
    writer_.Finish(status, this);
  }

  void release() {
    if (finished_ && ended_seen_) delete this;
  }

  GreetDesk& desk_;
  Step step_ = Step::arrived;
  bool finished_ = false;
  bool ended_seen_ = false;
  std::uint32_t replies_ = 0;
  Ended ended_{*this};
  grpc::ServerContext context_;
  greet::GreetStreamRequest request_;
  grpc::ServerAsyncWriter<greet::GreetingResponse> writer_{&context_};
  grpc::Alarm alarm_;
};

}  // namespace

Time monotonic_now() {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void await_greet(GreetDesk& desk) {
  new GreetCall(desk);
}

void await_greet_stream(GreetDesk& desk) {
  new GreetStreamCall(desk);
}

}  // namespace greetlab
