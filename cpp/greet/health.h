// The standard health service, grpc.health.v1: what probes ask, and clients that watch (gRFC A17).
//
// gRPC has one of its own, on its callback API. For the sake of that gRPC 1.51 starts threads that
// wait for every socket of the process, and hand what they find to the thread that waits for it
// (`Server::CallbackCQ`). Measured: 30 us of CPU a greeting, and 23 without.
#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <string>
#include <unordered_set>

#include "greet/call_queue.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace greetlab {

/// Says of the server as a whole ("") and of one service that they are SERVING, or that they are
/// not, and knows no other. Outlives the calls.
class Health {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  /// SERVING, until it is told otherwise.
  explicit Health(std::string service) : service_name_(std::move(service)) {}

  /// To be registered.
  grpc::health::v1::Health::AsyncService& service() { return service_; }

  /// Answers from now on.
  void await(CallQueue& queue);

  /// Who watches is told. From any thread, while the queue runs.
  void set_serving(bool serving);

  /// SERVICE_UNKNOWN for a service that there is not.
  Status status(const std::string& service) const;

 private:
  class WatchCall;

  Status status_now(const std::string& service) const;

  const std::string service_name_;
  grpc::health::v1::Health::AsyncService service_;
  mutable std::mutex mutex_;  // of everything below
  bool serving_ = true;
  std::unordered_set<grpc::Alarm*> asleep_;  // of those that watch, until there is something new
};

}  // namespace greetlab
