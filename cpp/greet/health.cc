#include "greet/health.h"

#include "greet/unary_call.h"

namespace greetlab {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using Service = grpc::health::v1::Health::AsyncService;

// Watch: arrived -> (telling -> asleep)* -> finished. As with GreetStream, gRPC tells of the
// client's end by a tag of its own.
class Health::WatchCall final : public Tag {
 public:
  WatchCall(Health& health, CallQueue& queue) : health_(health), queue_(queue) {
    context_.AsyncNotifyWhenDone(&ended_);
    health.service_.RequestWatch(&context_, &request_, &writer_, queue.get(), queue.get(), this);
  }

  void proceed(bool ok) override {
    switch (step_) {
      case Step::arrived:
        if (!ok) {  // the server stops; `ended_` never comes for a call that never began
          delete this;
          return;
        }
        new WatchCall(health_, queue_);
        tell(health_.status(request_.service()));
        return;
      case Step::telling: ok ? tell_or_sleep() : finish(); return;
      case Step::asleep:
        wake_up();
        context_.IsCancelled() ? finish() : tell_or_sleep();
        return;
      case Step::finished:
        finished_ = true;
        release();
        return;
    }
  }

  void drop(bool ok) override {
    if (step_ == Step::arrived && !ok) {
      delete this;
      return;
    }
    if (step_ == Step::asleep) wake_up();
    finished_ = true;
    release();
  }

 private:
  enum class Step { arrived, telling, asleep, finished };

  struct Ended final : Tag {
    explicit Ended(WatchCall& call) : call(call) {}
    void proceed(bool) override {
      call.ended_seen_ = true;
      if (call.step_ == Step::asleep) call.alarm_.Cancel();
      call.release();
    }
    void drop(bool) override {  // it is a part of the call
      call.ended_seen_ = true;
      call.release();
    }
    WatchCall& call;
  };

  void tell(Status status) {
    step_ = Step::telling;
    told_ = status;
    HealthCheckResponse response;
    response.set_status(status);
    writer_.Write(response, this);
  }

  void tell_or_sleep() {
    const std::lock_guard lock(health_.mutex_);  // no change goes by between the look and the sleep
    const Status status = health_.status_now(request_.service());
    if (status != told_) return tell(status);
    step_ = Step::asleep;
    health_.asleep_.insert(&alarm_);
    queue_.wait(alarm_, std::chrono::nanoseconds::max(), this);
  }

  void wake_up() {
    queue_.waited(alarm_);
    const std::lock_guard lock(health_.mutex_);
    health_.asleep_.erase(&alarm_);
  }

  void finish() {
    step_ = Step::finished;
    writer_.Finish(grpc::Status::CANCELLED, this);
  }

  void release() {
    if (finished_ && ended_seen_) delete this;
  }

  Health& health_;
  CallQueue& queue_;
  Step step_ = Step::arrived;
  bool finished_ = false;
  bool ended_seen_ = false;
  Status told_ = HealthCheckResponse::UNKNOWN;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_{&context_};
  grpc::Alarm alarm_;
  Ended ended_{*this};
};

void Health::await(CallQueue& queue) {
  UnaryCall<Service, HealthCheckRequest, HealthCheckResponse>::await(
      service_, queue, &Service::RequestCheck,
      [this](const grpc::ServerContext&, const HealthCheckRequest& request,
             HealthCheckResponse& response) {
        response.set_status(status(request.service()));
        if (response.status() != HealthCheckResponse::SERVICE_UNKNOWN) return grpc::Status::OK;
        return grpc::Status(grpc::StatusCode::NOT_FOUND,
                            "this server has no service \"" + request.service() + "\"");
      });
  new WatchCall(*this, queue);
}

void Health::set_serving(bool serving) {
  const std::lock_guard lock(mutex_);
  serving_ = serving;
  for (grpc::Alarm* alarm : asleep_) alarm->Cancel();
}

Health::Status Health::status(const std::string& service) const {
  const std::lock_guard lock(mutex_);
  return status_now(service);
}

Health::Status Health::status_now(const std::string& service) const {
  if (!service.empty() && service != service_name_) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace greetlab
