#include "core/number.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>

namespace greetlab {
namespace {

/// 0.d1d2d3... times 10 to the power of `point`, digit by digit as on paper: exact.
struct Decimal {
  std::string digits;
  int point = 0;

  /// @return what did not fit behind the point.
  int times(int factor) {
    int carry = 0;
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
      carry += factor * (*digit - '0');
      *digit = static_cast<char>('0' + carry % 10);
      carry /= 10;
    }
    while (digits.ends_with('0')) digits.pop_back();
    return carry;
  }
  void grow(int factor) {
    if (const int carry = times(factor); carry > 0) {
      digits.insert(digits.begin(), static_cast<char>('0' + carry));
      ++point;
    }
  }
  void twice() { grow(2); }
  void halve() {
    grow(5);
    --point;
  }
  bool at_least_half() const { return point == 0 && digits[0] >= '5'; }
};

/// @param decimal more than 0.
double nearest(Decimal decimal) {
  using Double = std::numeric_limits<double>;
  constexpr int kFar = Double::max_exponent10 + Double::digits10 + 10;
  if (decimal.point > kFar) return Double::infinity();
  if (decimal.point < -kFar) return 0;
  int exponent = 0;  // of 2; the number is in [1/2, 1) in the end
  for (; decimal.point > 0; ++exponent) decimal.halve();
  for (; !decimal.at_least_half(); --exponent) decimal.twice();
  // The smallest doubles have fewer bits.
  const int count = std::clamp(exponent + Double::digits - Double::min_exponent, 0, Double::digits);
  std::uint64_t bits = 0;
  for (int i = 0; i < count; ++i) bits = bits * 2 + static_cast<std::uint64_t>(decimal.times(2));
  const bool half = decimal.digits == "5";
  if (half ? bits % 2 == 1 : decimal.digits > "5") ++bits;
  return std::ldexp(static_cast<double>(bits), exponent - count);
}

}  // namespace

std::from_chars_result read_number(std::string_view text, double& number) {
  // After so many digits only whether there is one more can tell which double is nearest (the
  // longest number half way between two has 767).
  constexpr std::size_t kMostDigits = 800;
  constexpr int kMostExponent = 100'000;  // whatever else the number is, it is 0 or too large
  const auto digit = [&](std::size_t at) {
    return at < text.size() && text[at] >= '0' && text[at] <= '9';
  };
  const auto is = [&](std::size_t at, char letter) {
    return at < text.size() && text[at] == letter;
  };
  const std::size_t begin = is(0, '-') ? 1 : 0;
  std::size_t at = begin;
  Decimal decimal;
  bool any = false;
  bool fraction = false;
  for (; digit(at) || (is(at, '.') && !fraction); ++at) {
    if (text[at] == '.') {
      fraction = true;
      continue;
    }
    any = true;
    const bool leading = decimal.digits.empty() && text[at] == '0';
    if (leading ? fraction : !fraction) decimal.point += leading ? -1 : 1;
    if (leading) continue;
    const std::size_t kept = decimal.digits.size();
    if (kept < kMostDigits) decimal.digits += text[at];
    if (kept == kMostDigits && text[at] != '0') decimal.digits += '1';
  }
  if (!any) return {text.data(), std::errc::invalid_argument};
  if (is(at, 'e') || is(at, 'E')) {
    const bool less = is(at + 1, '-');
    std::size_t end = at + (less || is(at + 1, '+') ? 2 : 1);
    if (digit(end)) {
      int exponent = 0;
      for (; digit(end); ++end) {
        exponent = std::min(exponent * 10 + (text[end] - '0'), kMostExponent);
      }
      decimal.point += less ? -exponent : exponent;
      at = end;
    }
  }
  while (decimal.digits.ends_with('0')) decimal.digits.pop_back();
  const double found = decimal.digits.empty() ? 0 : nearest(std::move(decimal));
  if (std::isinf(found)) return {text.data() + at, std::errc::result_out_of_range};
  number = begin == 1 ? -found : found;
  return {text.data() + at, std::errc{}};
}

}  // namespace greetlab
