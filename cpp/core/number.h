// A decimal number out of a text, with any standard library: libc++ (macOS) reads floating point by
// std::from_chars only since LLVM 20.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

namespace greetlab {

/// By strtod, in a program that has left LC_NUMERIC as it was. It is given no more than
/// std::from_chars would look at: alone it also takes blanks, a plus, and hexadecimal.
inline std::from_chars_result read_number_by_strtod(std::string_view text, double& number) {
  text = text.substr(0, text.find_first_not_of("+-0123456789.eE"));
  if (text.starts_with('+')) return {text.data(), std::errc::invalid_argument};
  const std::string digits(text.substr(0, text.find_last_of("0123456789.") + 1));
  char* stopped = nullptr;
  const double read = std::strtod(digits.c_str(), &stopped);
  const auto length = stopped - digits.c_str();
  if (length == 0) return {text.data(), std::errc::invalid_argument};
  if (std::isinf(read)) return {text.data() + length, std::errc::result_out_of_range};
  number = read;
  return {text.data() + length, std::errc{}};
}

/// As std::from_chars, which it is where there is one.
template <class Number>
std::from_chars_result read_number(std::string_view text, Number& number) {
  const char* const begin = text.data();
  if constexpr (requires { std::from_chars(begin, begin, number); }) {
    return std::from_chars(begin, begin + text.size(), number);
  } else {
    return read_number_by_strtod(text, number);
  }
}

}  // namespace greetlab
