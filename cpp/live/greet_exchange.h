// What a call of ours carries: a greeting there, an answer back.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>

#include "greet.grpc.pb.h"
#include "lb/connector.h"
#include "live/loop.h"

namespace greetlab {

/// A greeting on its way over one connection after the other, should it be picked again. What gRPC
/// writes to lives apart (`Rpc`), for it may do so after nobody wants the answer any more.
class GreetExchange final : public Exchange {
 public:
  /// @param request outlives it.
  explicit GreetExchange(const greet::GreetingRequest& request);
  ~GreetExchange() override;

  void cancel() override;

  /// Sends it. `done` is called on the loop, once, whatever becomes of the exchange.
  void send(greet::GreetService::Stub& stub, Loop& loop, Time deadline,
            std::function<void(const grpc::Status&, const greet::GreetingResponse&)> done);

  /// Of the last call that ended.
  const greet::GreetingResponse& response() const;

 private:
  class Rpc;

  const greet::GreetingRequest& request_;
  std::shared_ptr<Rpc> rpc_;
};

}  // namespace greetlab
