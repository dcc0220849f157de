#include "greet/control_client.h"

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "control.grpc.pb.h"

namespace greetlab {
namespace {

using google::protobuf::util::TimeUtil;

constexpr std::chrono::seconds kPatience{5};

}  // namespace

std::string control_target(const std::string& control) {
  return control.starts_with('@') ? "unix-abstract:" + control.substr(1) : "unix:" + control;
}

class ControlClient::Impl {
 public:
  explicit Impl(const std::string& control)
      : control_(control),
        stub_(control::Control::NewStub(
            grpc::CreateChannel(control_target(control), grpc::InsecureChannelCredentials()))) {}

  template <class Request>
  void call(grpc::Status (control::Control::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           control::Done*),
            const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    control::Done done;
    if (const auto status = (*stub_.*method)(&context, request, &done); !status.ok()) {
      throw std::runtime_error("control socket " + control_ + ": " + status.error_message());
    }
  }

 private:
  std::string control_;
  std::unique_ptr<control::Control::Stub> stub_;
};

ControlClient::ControlClient(const std::string& control) : impl_(std::make_unique<Impl>(control)) {}

ControlClient::~ControlClient() = default;

void ControlClient::set_latency(Latency latency) {
  control::Latency request;
  *request.mutable_least() = TimeUtil::NanosecondsToDuration(latency.least.count());
  *request.mutable_most() = TimeUtil::NanosecondsToDuration(latency.most.count());
  impl_->call(&control::Control::Stub::SetLatency, request);
}

void ControlClient::set_error_rate(double rate) {
  control::Errors request;
  request.set_rate(rate);
  impl_->call(&control::Control::Stub::SetErrors, request);
}

void ControlClient::set_serving(bool serving) {
  control::Serving request;
  request.set_serving(serving);
  impl_->call(&control::Control::Stub::SetServing, request);
}

}  // namespace greetlab
