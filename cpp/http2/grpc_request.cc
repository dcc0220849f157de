#include "http2/grpc_request.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace greetlab {

std::string length_prefixed(std::string_view message) {
  std::string framed;
  framed.reserve(5 + message.size());
  framed += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed += static_cast<char>(message.size() >> shift & 0xff);
  }
  framed += message;
  return framed;
}

std::string timeout_text(Duration timeout) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMost = 99'999'999;  // of any unit; of seconds, three years
  // What is over already is asked for all the same: that it is over is ours to notice.
  std::int64_t left = std::clamp<std::int64_t>(timeout.count(), 1, kMost * kSecond);
  std::int64_t scale = 1;
  for (; left >= 1000; scale *= 10) left = (left + 9) / 10;
  left *= scale;
  static constexpr std::array<std::pair<std::int64_t, char>, 3> kUnits{
      {{kSecond, 'S'}, {kSecond / 1000, 'm'}, {kSecond / 1'000'000, 'u'}}};
  for (const auto& [unit, name] : kUnits) {
    if (left % unit == 0) return std::to_string(std::min(left / unit, kMost)) + name;
  }
  return std::to_string(left) + 'n';
}

}  // namespace greetlab
