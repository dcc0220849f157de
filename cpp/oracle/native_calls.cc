#include "oracle/native_calls.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "channel/answer.h"
#include "rpc/said.h"
#include "rpc/timespec.h"

namespace greetlab {
namespace {

Time now() {
  return Time(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

struct NativeCalls::Call {
  greet::GreetingRequest request;
  greet::GreetingResponse response;
  grpc::ClientContext context;
  CallRecorder::Begun begun;
  GreetDone done;
};

std::function<void()> NativeCalls::start(greet::GreetService::Stub& stub,
                                         greet::GreetingRequest request, Duration timeout,
                                         GreetDone done) {
  const auto call = std::make_shared<Call>();
  call->request = std::move(request);
  call->done = std::move(done);
  call->context.set_deadline(to_timespec(now() + timeout));
  call->begun = recorder_.started(now(), false);
  {
    const std::lock_guard lock(mutex_);
    in_flight_.insert(call);
  }
  stub.async()->Greet(&call->context, &call->request, &call->response,
                      [this, call](const grpc::Status& status) { finish(call, status); });
  return [it = std::weak_ptr(call)] {
    if (const auto call = it.lock()) call->context.TryCancel();
  };
}

void NativeCalls::finish(const std::shared_ptr<Call>& call, const grpc::Status& status) {
  if (recorder_.on()) {
    const AnsweringPod pod = status.ok() ? answering_pod(call->response) : AnsweringPod{};
    recorder_.ended(now(), call->begun, code_of(status.error_code()),
                    pod.name.empty() ? pod.ip : pod.name, status.ok() ? call->response.peer() : "",
                    said(status));
  }
  call->done({code_of(status.error_code()), said(status)}, call->response);
  const std::lock_guard lock(mutex_);
  in_flight_.erase(call);
  ended_.notify_all();
}

void NativeCalls::cancel() {
  std::unique_lock lock(mutex_);
  for (const auto& call : in_flight_) call->context.TryCancel();
  ended_.wait(lock, [this] { return in_flight_.empty(); });
}

}  // namespace greetlab
