#include "live/method_call.h"

#include "core/base64.h"
#include "http2/grpc_request.h"

namespace greetlab {
MethodCall::MethodCall(const MethodRequest& request)
    : request_(request),
      body_(length_prefixed(request.message)),
      metadata_(on_the_wire(request.metadata)) {
  for (const auto& [name, value] : metadata_) headers_.push_back({name, value});
}

GrpcRequest MethodCall::request() const {
  return {request_.path, {}, body_, {}, !request_.stream, headers_};
}

void MethodCall::on_message(std::string_view message) {
  answer_.messages.emplace_back(message);
  if (answer_.messages.size() == request_.most) cancel();
}

void MethodCall::on_metadata(std::string_view name, std::string_view value, bool trailing) {
  LiveCall::on_metadata(name, value, trailing);
  Metadata& where = trailing ? answer_.trailers : answer_.headers;
  const auto bytes = name.ends_with("-bin") ? from_base64(value) : std::nullopt;
  where.emplace_back(name, bytes ? *bytes : value);
}

}  // namespace greetlab
