#include "core/base64.h"

#include <cstdint>

namespace greetlab {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int there = 0;
  const auto digit = [&](std::uint32_t value) { text += kDigits[value & 63]; };
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(byte);
    for (there += 8; there >= 6; there -= 6) digit(bits >> (there - 6));
  }
  if (there > 0) digit(bits << (6 - there));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  std::uint32_t bits = 0;
  int there = 0;
  for (const char letter : text) {
    const std::size_t value = kDigits.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    there += 6;
    if (there < 8) continue;
    there -= 8;
    bytes += static_cast<char>(bits >> there & 0xff);
  }
  return bytes;
}

}  // namespace greetlab
