// What one client makes its connection cost, counted frame by frame.
//
// gRPC 1.51, which Debian has, has no bound of its own on much of this: it takes any number of
// streams until a client has acknowledged its SETTINGS (grpc/grpc pull request 34638 has the bound,
// in 1.60), any number of resets (34642; CVE-2023-44487), CONTINUATIONs (VU#421644), and copies a
// header that comes in pieces anew with each piece (CVE-2023-33953).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace greetlab {

/// What a connection may cost.
struct FrameBounds {
  /// Calls at once: what SETTINGS_MAX_CONCURRENT_STREAMS says, and holds also for who has not
  /// acknowledged it.
  std::uint32_t streams = 100;
  /// The block of one call's headers: its bytes on the wire, and in how many CONTINUATIONs.
  /// nghttp2's own bounds; gRPC answers RESOURCE_EXHAUSTED to a call that has above 8 KiB.
  std::size_t header_bytes = 64 * 1024;
  std::uint32_t continuations = 8;
  /// Frames a second that leave nothing but work behind: RST_STREAM, SETTINGS, PING, PRIORITY, DATA
  /// without any, frames that there are not. A client whose every call runs into its deadline sends
  /// one a call; so twice as many at once as it may have streams.
  std::uint32_t idle_frames = 1000;
};

/// Reads the frames of both directions of a connection, but not what is in them. No socket, no
/// clock. Knows HTTP/2 by its preface: of what begins in another way, such as TLS, it sees nothing.
class FrameWatch {
 public:
  explicit FrameWatch(const FrameBounds& bounds) : bounds_(bounds) {}

  /// Bytes from the client, as they came.
  /// @param now_ns on any clock that only goes forward, and has gone for a second.
  /// @return nullptr, or the bound that the client has met, in words ("it cancels ..."): what comes
  ///     after that is not looked at.
  const char* received(std::span<const std::uint8_t> bytes, std::int64_t now_ns);
  /// Bytes to the client, as they went.
  void sent(std::span<const std::uint8_t> bytes);

  /// What the calls that have begun and not ended take of memory, about; 0: there are none.
  std::size_t memory() const { return memory_; }

 private:
  struct Call {
    std::uint32_t stream;
    std::size_t memory;
  };

  struct Frame {
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
  };

  /// Cuts a direction's bytes into frames.
  class Frames {
   public:
    /// Tells `on_frame(Frame)` of each header that is complete; stops when that returns false.
    template <class OnFrame>
    void walk(std::span<const std::uint8_t> bytes, OnFrame on_frame);

   private:
    std::size_t skip_ = 0;  // bytes of a payload that are still to come
    std::uint8_t header_[9]{};
    std::size_t header_size_ = 0;
  };

  const char* bound_met(const Frame& frame, std::int64_t now_ns);
  const char* begin_headers(const Frame& frame);
  bool idle(const Frame& frame) const;
  bool spend(std::int64_t now_ns);
  void grow(std::uint32_t stream, std::size_t memory);
  void end(std::uint32_t stream);
  std::vector<Call>::iterator find(std::uint32_t stream);

  static constexpr std::size_t kPreface = 24;  // RFC 9113 3.4

  const FrameBounds& bounds_;
  std::size_t preface_seen_ = 0;
  bool foreign_ = false;
  Frames received_;
  Frames sent_;
  std::vector<Call> open_;       // in the order of their streams
  std::size_t memory_ = 0;       // of all of them
  std::uint32_t newest_ = 0;     // of the streams: a higher one is a call that begins
  std::size_t block_bytes_ = 0;  // of the header block that has not ended
  std::uint32_t block_frames_ = 0;
  double credit_ = 0;  // of idle frames
  std::int64_t credited_ns_ = 0;
};

}  // namespace greetlab
