#include "core/printable.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace greetlab {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Python's greetlab/text.py has the same ones.
constexpr Range kHidden[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},                        // C0, DEL, C1
    {0x61c, 0x61c},   {0x200e, 0x200f},                    // bidi controls
    {0x202a, 0x202e}, {0x2066, 0x2069},                    //
    {0x2028, 0x2029},                                      // line and paragraph separators
    {0x200b, 0x200b}, {0x2060, 0x2060}, {0xfeff, 0xfeff},  // no width at all
};

bool hidden(char32_t letter) {
  return std::ranges::any_of(
      kHidden, [&](const Range& one) { return one.first <= letter && letter <= one.last; });
}

struct Letter {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: no UTF-8
};

/// The first letter of a text that is not empty (RFC 3629: no longer than it need be, and no
/// surrogate).
Letter first(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const std::size_t bytes = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return {};
  char32_t code = byte(0) & (0xffU >> (bytes + 1));
  for (std::size_t at = 1; at < bytes; ++at) {
    if ((byte(at) & 0xc0U) != 0x80) return {};
    code = code << 6U | (byte(at) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kLeast[bytes] || code > 0x10ffff || surrogate) return {};
  return {code, bytes};
}

std::string escape(char32_t code) {
  switch (code) {
    case '\t': return "\\t";
    case '\n': return "\\n";
    case '\r': return "\\r";
    default: break;
  }
  const bool byte = code < 0x100;
  std::string text = byte ? "\\x" : "\\u";
  for (int shift = byte ? 4 : 12; shift >= 0; shift -= 4) {
    text += "0123456789abcdef"[code >> static_cast<unsigned>(shift) & 15U];
  }
  return text;
}

template <class Hidden>
std::string escaped(std::string_view text, Hidden hides) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Letter letter = first(text);
    const std::size_t bytes = std::max<std::size_t>(letter.bytes, 1);
    if (letter.bytes == 0) {
      shown += escape(static_cast<std::uint8_t>(text.front()));
    } else if (hides(letter.code)) {
      shown += escape(letter.code);
    } else {
      shown += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return shown;
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, hidden);
}

std::string utf8(std::string_view text) {
  return escaped(text, [](char32_t) { return false; });
}

}  // namespace greetlab
