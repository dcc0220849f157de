// What a call of ours carries: a request there, an answer back.
#pragma once

#include <memory>

#include "lb/connector.h"
#include "live/live_call.h"

namespace greetlab {

/// A call on its way over one connection after the other, should it be picked again.
class LiveSubchannelCall : public SubchannelCall {
 public:
  /// One to be begun.
  virtual LiveCall& call() = 0;
};

/// The call itself lives apart, for it may end after nobody wants the answer any more.
template <class Call>
class SubchannelCallOf final : public LiveSubchannelCall {
 public:
  /// @param request what it refers to outlives it.
  explicit SubchannelCallOf(typename Call::Request request)
      : request_(request), call_(std::make_shared<Call>(request)) {}

  void cancel() override { call_->cancel(); }
  std::unique_ptr<SubchannelCall> another() const override {
    return std::make_unique<SubchannelCallOf>(request_);
  }

  LiveCall& call() override {
    // Nobody waits for that one any more.
    if (call_->pending()) call_ = std::make_shared<Call>(request_);
    return *call_;
  }

  /// The last call, once it has ended.
  const Call& ended() const { return *call_; }

 private:
  typename Call::Request request_;
  std::shared_ptr<Call> call_;
};

}  // namespace greetlab
