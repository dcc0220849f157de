#include "live/side_call.h"

#include <utility>

#include "http2/grpc_request.h"

namespace greetlab {

SideCall::SideCall(Loop& loop, std::string path, std::string_view request, Reader& reader)
    : loop_(loop), path_(std::move(path)), body_(length_prefixed(request)), reader_(&reader) {}

void SideCall::send(Http2Session& session, std::string_view authority, std::string_view scheme) {
  start(session, {.path = path_,
                  .authority = authority,
                  .body = body_,
                  .timeout = {},
                  .unary = false,
                  .scheme = scheme});
}

void SideCall::refuse(Status why) {
  refused_ =
      loop_.at(loop_.now(), [this, why = std::move(why)] { on_end(why, Reach::never_left); });
}

void SideCall::leave(std::shared_ptr<const void> carrier) {
  reader_ = nullptr;
  refused_.cancel();
  give_up();
  // It may be left from within what it tells, and then its stream is still being read.
  loop_.post([self = shared_from_this(), carrier = std::move(carrier)] {});
}

void SideCall::on_message(std::string_view message) {
  if (reader_ != nullptr) reader_->on_answer(message);
}

void SideCall::on_end(const Status& status, Reach) {
  if (reader_ != nullptr) reader_->on_over(status);
}

}  // namespace greetlab
