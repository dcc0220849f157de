// What a call of ours carries: a greeting there, an answer back.
#pragma once

#include <memory>

#include "greet.pb.h"
#include "lb/connector.h"
#include "live/greet_call.h"

namespace greetlab {

/// A greeting on its way over one connection after the other, should it be picked again. The call
/// itself lives apart, for it may end after nobody wants the answer any more.
class GreetSubchannelCall final : public SubchannelCall {
 public:
  /// @param request outlives it.
  explicit GreetSubchannelCall(const greet::GreetingRequest& request)
      : request_(request), call_(std::make_shared<GreetCall>(request)) {}

  void cancel() override { call_->cancel(); }

  /// One to be begun.
  GreetCall& call() {
    // Nobody waits for that one any more.
    if (call_->pending()) call_ = std::make_shared<GreetCall>(request_);
    return *call_;
  }

  /// Of the last call that ended.
  const greet::GreetingResponse& response() const { return call_->response(); }

 private:
  const greet::GreetingRequest& request_;
  std::shared_ptr<GreetCall> call_;
};

}  // namespace greetlab
