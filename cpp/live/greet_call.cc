#include "live/greet_call.h"

#include <utility>

#include "http2/grpc_request.h"

namespace greetlab {

GreetCall::GreetCall(const greet::GreetingRequest& request)
    : body_(length_prefixed(request.SerializeAsString())) {}

void GreetCall::begin(Loop& loop, std::shared_ptr<Carrier> carrier, Asked asked) {
  self_ = shared_from_this();
  carrier_ = std::move(carrier);
  loop_ = &loop;
  asked_ = std::move(asked);
  readable_ = true;
  response_.Clear();  // keeps the strings' memory for the next answer
  if (asked_.deadline == kNever) return;
  timer_ = loop.at(asked_.deadline, [this] {
    give_up();
    carrier_->on_given_up();
    on_end({Code::deadline_exceeded, "no answer in time"}, Reach::processed);
  });
}

void GreetCall::send(Http2Session& session, std::string_view authority, std::string_view scheme) {
  std::optional<Duration> timeout;
  if (asked_.deadline != kNever) timeout = asked_.deadline - loop_->now();
  start(session, {.path = "/greet.GreetService/Greet",
                  .authority = authority,
                  .body = body_,
                  .timeout = timeout,
                  .scheme = scheme});
}

void GreetCall::cancel() {
  if (!pending()) return;
  give_up();
  carrier_->on_given_up();
  end_soon({Code::cancelled, "cancelled by the caller"}, Reach::processed);
}

void GreetCall::refuse(std::string why) {
  end_soon({Code::unavailable, std::move(why)}, Reach::never_left);
}

void GreetCall::end_soon(Status status, Reach reach) {
  timer_ =
      loop_->at(loop_->now(), [this, status = std::move(status), reach] { on_end(status, reach); });
}

bool GreetCall::may_be_sent_again(Reach reach, CallId id) {
  if (reach == Reach::never_left) return true;
  return reach == Reach::refused && std::exchange(refused_, id) != id;
}

void GreetCall::on_message(std::string_view message) {
  readable_ = response_.ParseFromArray(message.data(), static_cast<int>(message.size()));
}

void GreetCall::on_end(const Status& status, Reach reach) {
  const auto self = std::exchange(self_, nullptr);
  const auto carrier = std::exchange(carrier_, nullptr);
  timer_.cancel();
  if (status.ok() && !readable_) {
    return carrier->on_call_ended(*this, {Code::internal, "the answer is no GreetingResponse"},
                                  reach);
  }
  carrier->on_call_ended(*this, status, reach);
}

}  // namespace greetlab
