// HTTP/2's frames by name (RFC 9113 6): who cuts them, who tells them and who reads them back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace greetlab {

/// By their number on the wire; after those, what has none of its own.
enum class FrameType : std::uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
  extension,  ///< Any other frame (RFC 9113 5.5).
  preface,    ///< No frame: what a client says before its first one (RFC 9113 3.4).
};

inline constexpr std::array<std::string_view, 12> kFrameTypeNames{
    "DATA", "HEADERS", "PRIORITY",      "RST_STREAM",   "SETTINGS",  "PUSH_PROMISE",
    "PING", "GOAWAY",  "WINDOW_UPDATE", "CONTINUATION", "EXTENSION", "PREFACE"};

/// "HEADERS": as RFC 9113 writes it.
constexpr std::string_view to_string(FrameType type) {
  return kFrameTypeNames[static_cast<std::size_t>(type)];
}

/// Of the payload, how many bytes are kept where frames are told: an ordinary greeting whole.
inline constexpr std::size_t kFrameExcerpt = 128;

/// A frame's head: three bytes of length, type, flags, four of stream (RFC 9113 4.1).
inline constexpr std::size_t kFrameHead = 9;

/// "END_STREAM|END_HEADERS": what the flags mean on a frame of this type, and "0x40" for the bits
/// that RFC 9113 gives no meaning there; "" for none.
inline std::string flags_in_words(FrameType type, std::uint8_t flags) {
  struct Flag {
    std::uint8_t bit;
    std::string_view name;
    unsigned on;  // a bit for each type that has it
  };
  constexpr auto on = [](auto... types) { return ((1U << static_cast<unsigned>(types)) | ...); };
  using enum FrameType;
  constexpr std::array<Flag, 5> kFlags{{
      {0x1, "END_STREAM", on(data, headers)},
      {0x1, "ACK", on(settings, ping)},
      {0x4, "END_HEADERS", on(headers, push_promise, continuation)},
      {0x8, "PADDED", on(data, headers, push_promise)},
      {0x20, "PRIORITY", on(headers)},
  }};
  std::string words;
  const auto add = [&](std::string_view word) {
    if (!words.empty()) words += '|';
    words += word;
  };
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) == 0 || (flag.on & on(type)) == 0) continue;
    add(flag.name);
    flags = static_cast<std::uint8_t>(flags & ~flag.bit);
  }
  if (flags != 0) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    add("0x");
    words += {kDigits[flags >> 4], kDigits[flags & 15]};
  }
  return words;
}

}  // namespace greetlab
