#include "greet/greet_calls.h"

#include <google/protobuf/util/time_util.h>

#include <optional>

namespace greetlab {
namespace {

constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 365);

const grpc::Status& injected_error() {
  static const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "injected error");
  return status;
}

// Greet: arrived -> (the injected latency) -> answered.
class GreetCall final : public Tag {
 public:
  explicit GreetCall(GreetDesk& desk) : desk_(desk) {
    desk.service.RequestGreet(&context_, &request_, &writer_, desk.queue.get(), desk.queue.get(),
                              this);
  }

  void proceed(bool ok) override {
    switch (step_) {
      case Step::arrived:
        if (!ok) break;  // the server stops
        await_greet(desk_);
        if (const auto latency = desk_.behaviour.draw_latency(); latency.count() > 0) {
          step_ = Step::delayed;
          desk_.queue.wait(alarm_.emplace(), latency, this);
          return;
        }
        [[fallthrough]];
      case Step::delayed:
        if (alarm_) desk_.queue.waited(*alarm_);
        answer();
        return;
      case Step::answered: break;
    }
    delete this;
  }

 private:
  enum class Step { arrived, delayed, answered };

  void answer() {
    step_ = Step::answered;
    if (desk_.behaviour.draw_error()) {
      writer_.FinishWithError(injected_error(), this);
      return;
    }
    greet::GreetingResponse response;
    desk_.greeter.greet(request_.greeting(), context_.peer(), response);
    writer_.Finish(response, grpc::Status::OK, this);
  }

  GreetDesk& desk_;
  Step step_ = Step::arrived;
  grpc::ServerContext context_;
  greet::GreetingRequest request_;
  grpc::ServerAsyncResponseWriter<greet::GreetingResponse> writer_{&context_};
  std::optional<grpc::Alarm> alarm_;  // most calls never wait
};

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
      finish(injected_error());
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
    desk_.queue.wait(alarm_, interval + desk_.behaviour.draw_latency(), this);
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

void await_greet(GreetDesk& desk) {
  new GreetCall(desk);
}

void await_greet_stream(GreetDesk& desk) {
  new GreetStreamCall(desk);
}

}  // namespace greetlab
