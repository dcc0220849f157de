#include "greet/control_calls.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "greet/unary_call.h"

namespace greetlab {
namespace {

using control::Control;
using control::Done;
using google::protobuf::util::TimeUtil;

constexpr std::int64_t kLongest = 365 * 24 * 3600;

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

grpc::Status refuse(const char* why) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, why);
}

}  // namespace

void await_control(Control::AsyncService& service, CallQueue& queue, Behaviour& behaviour,
                   std::function<void(bool)> set_serving) {
  using AsyncService = Control::AsyncService;
  UnaryCall<AsyncService, control::Latency, Done>::await(
      service, queue, &AsyncService::RequestSetLatency,
      from_unix_socket_only<control::Latency>([&behaviour](const control::Latency& wanted) {
        if (wanted.least().seconds() > kLongest || wanted.most().seconds() > kLongest) {
          return refuse("a latency is a year at the most");
        }
        const std::chrono::nanoseconds least(TimeUtil::DurationToNanoseconds(wanted.least()));
        const std::chrono::nanoseconds most(TimeUtil::DurationToNanoseconds(wanted.most()));
        if (least.count() < 0 || most.count() < 0) return refuse("a latency cannot be negative");
        behaviour.set_latency({least, most});
        return grpc::Status::OK;
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
