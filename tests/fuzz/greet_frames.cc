// Any bytes, from both sides, in any pieces: the watch over a server's connections says the same as
// of the bytes at once, and counts no less than nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "check.h"
#include "greet/frame_watch.h"

namespace {

using namespace greetlab;

constexpr std::int64_t kNow = 1'000'000'000;
constexpr std::uint8_t kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Watched {
  FrameBounds bounds{.streams = 4, .header_bytes = 1000, .continuations = 2, .idle_frames = 10};
  FrameWatch watch{bounds};
  const char* met = nullptr;

  void feed(std::span<const std::uint8_t> bytes) {
    if (met == nullptr) met = watch.received(bytes, kNow);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span preface(kPreface, sizeof kPreface - 1);
  const std::size_t piece = 1 + data[0];
  std::span bytes(data + 2, size - 2);
  Watched whole, pieces;
  // The first byte says how long the pieces are; the second one whether there is a preface.
  if (data[1] & 1) {
    whole.feed(preface);
    for (const std::uint8_t& byte : preface) pieces.feed({&byte, 1});
  }
  whole.feed(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    pieces.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
  CHECK(whole.met == pieces.met);
  CHECK(whole.watch.memory() == pieces.watch.memory());
  whole.watch.sent(bytes);
  CHECK(whole.watch.memory() <= pieces.watch.memory());
  return 0;
}
