// A greeting over one connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "greet.pb.h"
#include "live/live_call.h"

namespace greetlab {

class GreetCall final : public LiveCall {
 public:
  /// What is asked, and what is said beside it: the metadata may be another for each call.
  struct Request {
    const greet::GreetingRequest& message;
    const Metadata& metadata;
  };

  explicit GreetCall(const Request& request);

  /// Of the last one that ended with OK.
  const greet::GreetingResponse& response() const { return response_; }
  AnsweringPod answered_by() const override { return answering_pod(response_); }

 private:
  GrpcRequest request() const override;
  void forget() override;
  Status judged(const Status& status) const override;
  void on_message(std::string_view message) override;

  const std::string body_;
  const Metadata& metadata_;
  Metadata on_the_wire_;  // of this call: whoever asks may be about to make the next one
  std::vector<Http2Header> headers_;
  bool readable_ = true;
  greet::GreetingResponse response_;
};

}  // namespace greetlab
