// A call of any method over one connection: how health and reflection are asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "channel/method_call.h"
#include "live/live_call.h"

namespace greetlab {

class MethodCall final : public LiveCall {
 public:
  using Request = const MethodRequest&;

  /// @param request outlives it.
  explicit MethodCall(const MethodRequest& request);

  /// Of the last one that ended, but for its status.
  const MethodAnswer& answer() const { return answer_; }

 private:
  GrpcRequest request() const override;
  void forget() override { answer_ = {}; }
  void on_message(std::string_view message) override;
  void on_metadata(std::string_view name, std::string_view value, bool trailing) override;

  const MethodRequest& request_;
  const std::string body_;
  const Metadata metadata_;  // as it goes over the wire
  std::vector<Http2Header> headers_;
  MethodAnswer answer_;
};

}  // namespace greetlab
