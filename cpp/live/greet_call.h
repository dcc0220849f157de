// A greeting over one connection.
#pragma once

#include <string>
#include <string_view>

#include "greet.pb.h"
#include "live/live_call.h"

namespace greetlab {

class GreetCall final : public LiveCall {
 public:
  using Request = greet::GreetingRequest;

  explicit GreetCall(const greet::GreetingRequest& request);

  /// Of the last one that ended with OK.
  const greet::GreetingResponse& response() const { return response_; }
  AnsweringPod answered_by() const override { return answering_pod(response_); }

 private:
  GrpcRequest request() const override;
  void forget() override;
  Status judged(const Status& status) const override;
  void on_message(std::string_view message) override;

  const std::string body_;
  bool readable_ = true;
  greet::GreetingResponse response_;
};

}  // namespace greetlab
