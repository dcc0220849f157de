#include "live/live_call.h"

#include <utility>

#include "core/base64.h"
#include "http2/grpc_request.h"
#include "live/load_report.h"

namespace greetlab {

void LiveCall::begin(Loop& loop, std::shared_ptr<Carrier> carrier, Sending asked) {
  self_ = shared_from_this();
  carrier_ = std::move(carrier);
  loop_ = &loop;
  asked_ = std::move(asked);
  load_ = nullptr;
  forget();
  if (asked_.deadline == kNever) return;
  timer_ = loop.at(asked_.deadline, [this] {
    give_up();
    carrier_->on_given_up();
    on_end({Code::deadline_exceeded, "no answer in time"}, Reach::processed);
  });
}

void LiveCall::send(Http2Session& session, std::string_view authority, std::string_view scheme) {
  GrpcRequest what = request();
  what.authority = authority;
  what.scheme = scheme;
  if (asked_.deadline != kNever) what.timeout = asked_.deadline - loop_->now();
  what.previous_attempts = asked_.previous_attempts;
  what.max_message = asked_.max_response_bytes;
  start(session, what);
}

void LiveCall::cancel() {
  if (!pending()) return;
  give_up();
  carrier_->on_given_up();
  end_soon({Code::cancelled, "cancelled by the caller"}, Reach::processed);
}

bool LiveCall::too_long() {
  if (!asked_.max_request_bytes) return false;
  const std::size_t size = request().body.size() - kMessagePrefix;
  if (size <= *asked_.max_request_bytes) return false;
  end_soon(
      {Code::resource_exhausted, "the message is larger than the most (" + std::to_string(size) +
                                     " vs. " + std::to_string(*asked_.max_request_bytes) + ")"},
      Reach::processed);
  return true;
}

void LiveCall::refuse(std::string why) {
  end_soon({Code::unavailable, std::move(why)}, Reach::never_left);
}

void LiveCall::end_soon(Status status, Reach reach) {
  timer_ =
      loop_->at(loop_->now(), [this, status = std::move(status), reach] { on_end(status, reach); });
}

void LiveCall::on_metadata(std::string_view name, std::string_view value, bool trailing) {
  if (!trailing || name != kLoadTrailer) return;
  const auto bytes = from_base64(value);
  if (auto load = bytes ? parse_load_report(*bytes) : std::nullopt) {
    load_ = std::make_shared<const LoadReport>(*std::move(load));
  }
}

bool LiveCall::may_be_sent_again(Reach reach, CallId id) {
  if (reach == Reach::never_left) return true;
  return reach == Reach::refused && std::exchange(refused_, id) != id;
}

void LiveCall::on_end(const Status& status, Reach reach) {
  const auto self = std::exchange(self_, nullptr);
  const auto carrier = std::exchange(carrier_, nullptr);
  timer_.cancel();
  carrier->on_call_ended(*this, judged(status), reach);
}

}  // namespace greetlab
