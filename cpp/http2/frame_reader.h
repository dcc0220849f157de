// The bytes of one direction of a connection, cut into frames (RFC 9113 4.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/frame_type.h"

namespace greetlab {

/// A frame that came or went, whole.
struct Http2Frame {
  bool sent;  ///< By us.
  FrameType type;
  std::uint8_t flags;
  std::int32_t stream;
  std::uint32_t length;  ///< Of its payload.
  /// What the payload begins with, `kFrameExcerpt` bytes at most: until the next frame.
  std::string_view excerpt;
};

/// Reads what goes over the wire beside nghttp2, which tells some frames late and some never
/// (CONTINUATION, the preface), and payloads not at all. It trusts nothing: whatever the bytes say,
/// it keeps a head and an excerpt.
class FrameReader {
 public:
  /// @param sent by us: our preface comes first (RFC 9113 3.4).
  explicit FrameReader(bool sent) : sent_(sent), preface_(sent) {}

  /// Takes what `bytes` have of the frame that is under way, and no more.
  /// @return how many: one at least, of any.
  std::size_t take(std::string_view bytes);

  /// The last byte of a frame was taken: `frame` is it, until more is taken.
  bool whole() const { return taken_ > 0 && taken_ == size(); }
  Http2Frame frame() const;

 private:
  static constexpr std::size_t kPreface = 24;  // "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

  std::size_t head() const { return preface_ ? 0 : kFrameHead; }
  std::uint32_t length() const;
  /// Of the whole frame; of its head, as long as that is not there.
  std::size_t size() const;

  const bool sent_;
  bool preface_;
  std::size_t taken_ = 0;  // of this frame
  std::array<char, kFrameHead + kFrameExcerpt> begin_{};
};

}  // namespace greetlab
