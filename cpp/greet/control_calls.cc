#include "greet/control_calls.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "core/distribution.h"
#include "greet/unary_call.h"

namespace greetlab {
namespace {

using control::Control;
using control::Done;

template <class Request, class Act>
auto from_unix_socket_only(Act act) {
  return [act = std::move(act)](const grpc::ServerContext& context, const Request& request, Done&) {
    if (!context.peer().starts_with("unix")) {  // "unix:" or "unix-abstract:"
      return grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                          "the control service answers on its unix socket only");
    }
    return act(request);
  };
}

grpc::Status refuse(const std::string& why) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, why);
}

}  // namespace

void await_control(Control::AsyncService& service, CallQueue& queue, Behaviour& behaviour,
                   std::function<void(bool)> set_serving) {
  using AsyncService = Control::AsyncService;
  UnaryCall<AsyncService, control::Latency, Done>::await(
      service, queue, &AsyncService::RequestSetLatency,
      from_unix_socket_only<control::Latency>([&behaviour](const control::Latency& wanted) {
        try {
          behaviour.set_latency(parse_distribution(wanted.time()));
          return grpc::Status::OK;
        } catch (const std::invalid_argument& error) {
          return refuse(error.what());
        }
      }));
  UnaryCall<AsyncService, control::Errors, Done>::await(
      service, queue, &AsyncService::RequestSetErrors,
      from_unix_socket_only<control::Errors>([&behaviour](const control::Errors& wanted) {
        if (!(wanted.rate() >= 0 && wanted.rate() <= 1)) {
          return refuse("an error rate is a probability, 0 to 1");
        }
        behaviour.set_error_rate(wanted.rate());
        return grpc::Status::OK;
      }));
  UnaryCall<AsyncService, control::Serving, Done>::await(
      service, queue, &AsyncService::RequestSetServing,
      from_unix_socket_only<control::Serving>(
          [set = std::move(set_serving)](const control::Serving& wanted) {
            set(wanted.serving());
            return grpc::Status::OK;
          }));
}

}  // namespace greetlab
