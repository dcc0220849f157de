#include "http2/grpc_call.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "http2/grpc_request.h"

namespace greetlab {

void GrpcCall::start(Http2Session& session, const GrpcRequest& request) {
  session_ = &session;
  body_ = request.body;
  response_.begin(request.unary, request.max_message.value_or(GrpcResponse::kMaxMessage));
  std::string timeout;
  if (request.timeout) timeout = timeout_text(*request.timeout);
  std::string previous;
  if (request.previous_attempts > 0) previous = std::to_string(request.previous_attempts);
  std::array<Http2Header, Http2Session::kMostHeaders> headers{
      {{":method", "POST"},
       {":scheme", request.scheme},
       {":path", request.path},
       {":authority", request.authority},
       {"te", "trailers"},
       {"content-type", "application/grpc"},
       {"user-agent", "grpc-greetlab/" GREETLAB_VERSION},
       {"grpc-timeout", timeout}}};
  auto end = headers.begin() + (request.timeout ? 8 : 7);
  if (!previous.empty()) *end++ = {"grpc-previous-rpc-attempts", previous};
  end = std::ranges::copy(request.metadata, end).out;
  session.submit(*this, std::span(headers.begin(), end));
}

void GrpcCall::give_up() {
  if (session_ == nullptr) return;
  constexpr std::uint32_t kCancel = 0x8;
  response_.stop();
  std::exchange(session_, nullptr)->reset(*this, kCancel);
}

std::size_t GrpcCall::read_body(std::span<std::uint8_t> room, bool& last) {
  const std::size_t count = std::min(room.size(), body_.size());
  std::memcpy(room.data(), body_.data(), count);
  body_.remove_prefix(count);
  last = body_.empty();
  return count;
}

void GrpcCall::on_headers(bool last) {
  response_.headers_begin(last);
}

void GrpcCall::on_header(std::string_view name, std::string_view value) {
  response_.header(name, value);
  give_up_if_broken();
}

void GrpcCall::on_headers_end() {
  response_.headers_end();
}

void GrpcCall::on_data(std::string_view bytes) {
  response_.data(bytes);
  give_up_if_broken();
}

void GrpcCall::give_up_if_broken() {
  // It may have been given up from within `on_message`.
  if (!response_.broken() || session_ == nullptr) return;
  give_up();
  const Status why = *response_.broken();  // a copy: it may be started again from within
  on_end(why, Reach::processed);
}

void GrpcCall::on_closed(Reach reach, std::uint32_t error, bool answered) {
  const Http2Session& session = *std::exchange(session_, nullptr);
  on_end(response_.end(error, answered, session.failure()), reach);
}

}  // namespace greetlab
