#include "live/greet_call.h"

#include "http2/grpc_request.h"
#include "load/load.h"

namespace greetlab {

GreetCall::GreetCall(const Request& request)
    : body_(length_prefixed(request.message.SerializeAsString())), metadata_(request.metadata) {}

GrpcRequest GreetCall::request() const {
  return {
      .path = kGreetMethod, .authority = {}, .body = body_, .timeout = {}, .metadata = headers_};
}

void GreetCall::forget() {
  readable_ = true;
  response_.Clear();  // keeps the strings' memory for the next answer
  headers_.clear();
  if (metadata_.empty()) return;
  on_the_wire_ = on_the_wire(metadata_);
  for (const auto& [name, value] : on_the_wire_) headers_.push_back({name, value});
}

void GreetCall::on_message(std::string_view message) {
  readable_ = response_.ParseFromArray(message.data(), static_cast<int>(message.size()));
}

Status GreetCall::judged(const Status& status) const {
  if (!status.ok() || readable_) return status;
  return {Code::internal, "the answer is no GreetingResponse"};
}

}  // namespace greetlab
