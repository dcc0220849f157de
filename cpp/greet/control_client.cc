#include "greet/control_client.h"

#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "control.grpc.pb.h"

namespace greetlab {
namespace {

constexpr std::chrono::seconds kPatience{5};

template <class Request, class Method>
void call(const std::string& control, const Interrupted& interrupted, Method method,
          const Request& request) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // gRPC would ask it for abstract sockets, too
  const auto stub = control::Control::NewStub(grpc::CreateCustomChannel(
      control_target(control), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);

  grpc::CompletionQueue queue;
  control::Done done;
  grpc::Status status;
  const auto reader = (*stub.*method)(&context, request, &queue);
  reader->Finish(&done, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  while (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kAttention) !=
         grpc::CompletionQueue::GOT_EVENT) {
    if (interrupted()) context.TryCancel();
  }
  if (!status.ok()) {
    throw std::runtime_error("control socket " + control + ": " + status.error_message());
  }
}

}  // namespace

std::string control_target(const std::string& control) {
  return control.starts_with('@') ? "unix-abstract:" + control.substr(1) : "unix:" + control;
}

void ControlClient::set_latency(const Distribution& longer) const {
  control::Latency request;
  request.set_time(longer.text());
  call(control_, interrupted_, &control::Control::Stub::AsyncSetLatency, request);
}

void ControlClient::set_failing(const Failing& failing) const {
  control::Errors request;
  request.set_rate(failing.rate);
  request.set_code(static_cast<int>(failing.code));
  if (failing.pushback) {
    const auto when = std::chrono::duration_cast<std::chrono::milliseconds>(*failing.pushback);
    request.set_pushback_ms(when.count());
  }
  call(control_, interrupted_, &control::Control::Stub::AsyncSetErrors, request);
}

void ControlClient::set_serving(bool serving) const {
  control::Serving request;
  request.set_serving(serving);
  call(control_, interrupted_, &control::Control::Stub::AsyncSetServing, request);
}

}  // namespace greetlab
