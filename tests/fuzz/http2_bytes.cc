// Any bytes from a server, in any pieces: every call ends once, with one status, in bounded memory.
// The first byte is how long a piece is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.h"
#include "http2/grpc_call.h"
#include "http2/grpc_request.h"
#include "http2/session.h"

namespace {

using namespace greetlab;

struct Call final : GrpcCall {
  int ended = 0;

  void on_message(std::string_view message) override {
    CHECK(ended == 0);
    CHECK(message.size() <= GrpcResponse::kMaxMessage);
  }
  void on_end(const Status& status, Reach reach) override {
    ++ended;
    CHECK(static_cast<std::size_t>(status.code) < kCodeNames.size());
    CHECK(!status.ok() || reach == Reach::processed);
  }
};

struct Watcher final : Http2Session::Watcher {
  int settings = 0;
  void on_settings() override { ++settings; }
  void on_go_away(std::int32_t, std::uint32_t, std::string_view) override {}
  void on_frame(const Http2Frame& frame) override {
    CHECK(frame.stream >= 0 && frame.length < 1U << 24);
    CHECK(frame.excerpt.size() == std::min<std::size_t>(frame.length, kFrameExcerpt));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = 1 + data[0];
  const std::string body = length_prefixed("Ada");
  Watcher watcher;
  Http2Session session(watcher, true);
  Call calls[3];
  for (Call& call : calls) {
    call.start(session,
               {"/greet.GreetService/Greet", "greetserver", body, std::nullopt, &call != calls});
  }
  std::string output;
  bool alive = session.take_output(output);
  while (alive && !bytes.empty()) {
    alive = session.receive(bytes.substr(0, piece)) && session.take_output(output);
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  calls[2].give_up();
  session.close(0, "the end");
  CHECK(calls[0].ended == 1 && calls[1].ended == 1 && calls[2].ended <= 1);
  CHECK(watcher.settings <= 1 && session.streams() == 0);
  return 0;
}
