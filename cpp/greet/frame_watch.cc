#include "greet/frame_watch.h"

#include <algorithm>
#include <cstring>

namespace greetlab {
namespace {

constexpr char kPrefaceText[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum Type : std::uint8_t { kData = 0, kHeaders = 1, kReset = 3, kWindow = 8, kMore = 9 };
constexpr std::uint8_t kEndStream = 1;

// Measured with gRPC 1.51: what a call takes, and what each byte of its headers, which it keeps in
// pieces of all that it has read, and of a message that is not complete.
constexpr std::size_t kCallMemory = 12 * 1024, kHeaderFactor = 24, kMessageFactor = 2;

}  // namespace

template <class OnFrame>
void FrameWatch::Frames::walk(std::span<const std::uint8_t> bytes, OnFrame on_frame) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const std::size_t size = std::min(skip_, bytes.size());
      skip_ -= size;
      bytes = bytes.subspan(size);
      continue;
    }
    const std::size_t size = std::min(sizeof header_ - header_size_, bytes.size());
    std::memcpy(header_ + header_size_, bytes.data(), size);
    header_size_ += size;
    bytes = bytes.subspan(size);
    if (header_size_ < sizeof header_) return;
    header_size_ = 0;
    const auto byte = [this](int i) { return std::uint32_t{header_[i]}; };
    const Frame frame{byte(0) << 16 | byte(1) << 8 | byte(2), header_[3], header_[4],
                      (byte(5) & 0x7f) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)};
    skip_ = frame.length;
    if (!on_frame(frame)) return;
  }
}

const char* FrameWatch::received(std::span<const std::uint8_t> bytes, std::int64_t now_ns) {
  if (preface_seen_ < kPreface && !foreign_) {
    const std::size_t size = std::min(kPreface - preface_seen_, bytes.size());
    foreign_ = std::memcmp(bytes.data(), kPrefaceText + preface_seen_, size) != 0;
    preface_seen_ += size;
    bytes = bytes.subspan(size);
  }
  if (foreign_) return nullptr;
  const char* met = nullptr;
  received_.walk(bytes, [&](const Frame& frame) {
    met = bound_met(frame, now_ns);
    return met == nullptr;
  });
  return met;
}

void FrameWatch::sent(std::span<const std::uint8_t> bytes) {
  if (foreign_) return;
  sent_.walk(bytes, [this](const Frame& frame) {
    const bool last = (frame.type == kData || frame.type == kHeaders) && frame.flags & kEndStream;
    if (last || frame.type == kReset) end(frame.stream);
    return true;
  });
}

const char* FrameWatch::bound_met(const Frame& frame, std::int64_t now_ns) {
  if (frame.type == kReset) end(frame.stream);
  if (idle(frame) && !spend(now_ns)) {
    return frame.type == kReset
               ? "it cancels calls faster than they can be served"
               : "it sends frames that ask for nothing, faster than they can be read";
  }
  if (frame.type == kHeaders) return begin_headers(frame);
  if (frame.type == kData) grow(frame.stream, frame.length * kMessageFactor);
  if (frame.type == kMore) {
    block_bytes_ += frame.length;
    grow(frame.stream, frame.length * kHeaderFactor);
    if (++block_frames_ > bounds_.continuations) return "the headers of a call do not end";
  }
  return block_bytes_ > bounds_.header_bytes ? "the headers of a call do not end" : nullptr;
}

const char* FrameWatch::begin_headers(const Frame& frame) {
  block_bytes_ = frame.length;
  block_frames_ = 0;
  if (frame.stream <= newest_) return nullptr;  // trailers, or what gRPC will refuse
  newest_ = frame.stream;
  open_.push_back({frame.stream, 0});
  grow(frame.stream, kCallMemory + frame.length * kHeaderFactor);
  return open_.size() > bounds_.streams ? "it has too many calls at once" : nullptr;
}

bool FrameWatch::idle(const Frame& frame) const {
  switch (frame.type) {
    case kHeaders:
    case kMore:
    case kWindow: return false;  // one or two a call
    case kData: return frame.length == 0 && !(frame.flags & kEndStream);
    default: return true;
  }
}

bool FrameWatch::spend(std::int64_t now_ns) {
  const double earned = 1e-9 * static_cast<double>(now_ns - credited_ns_) * bounds_.idle_frames;
  credit_ = std::min(2.0 * bounds_.streams, credit_ + earned);
  credited_ns_ = now_ns;
  if (credit_ < 1) return false;
  --credit_;
  return true;
}

void FrameWatch::grow(std::uint32_t stream, std::size_t memory) {
  const auto call = find(stream);
  if (call == open_.end()) return;
  call->memory += memory;
  memory_ += memory;
}

void FrameWatch::end(std::uint32_t stream) {
  const auto call = find(stream);
  if (call == open_.end()) return;
  memory_ -= call->memory;
  open_.erase(call);
}

std::vector<FrameWatch::Call>::iterator FrameWatch::find(std::uint32_t stream) {
  const auto at = std::ranges::lower_bound(open_, stream, {}, &Call::stream);
  return at != open_.end() && at->stream == stream ? at : open_.end();
}

}  // namespace greetlab
