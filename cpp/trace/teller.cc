#include "trace/teller.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>

namespace greetlab {
namespace {

/// So many parts of a whole, "12.40" of 1240 hundredths, to the nearest one; half a part is one.
std::string in_parts(Duration duration, Duration part, std::int64_t parts) {
  const std::int64_t count = (std::abs(duration.count()) + part.count() / 2) / part.count();
  const std::string sign = duration.count() < 0 && count > 0 ? "-" : "";
  return sign + std::to_string(count / parts) + '.' +
         std::to_string(parts + count % parts).substr(1);
}

}  // namespace

std::string Teller::thousandths(std::uint32_t thousandths) {
  std::string text = std::to_string(thousandths / 1000);
  const std::uint32_t rest = thousandths % 1000;
  if (rest == 0) return text;
  std::string digits = std::to_string(1000 + rest).substr(1);
  while (digits.back() == '0') digits.pop_back();
  return text + "." + digits;
}

std::string Teller::milliseconds(Duration duration) {
  return in_parts(duration, std::chrono::microseconds(10), 100) + " ms";
}

std::string Teller::seconds(Duration duration) {
  return in_parts(duration, std::chrono::milliseconds(1), 1000) + " s";
}

std::string Teller::percent(std::uint32_t millionths) {
  const std::uint32_t tenths = (millionths + 500) / 1000;
  std::string text = std::to_string(tenths / 10);
  if (tenths % 10 != 0) text += '.' + std::to_string(tenths % 10);
  return text + " %";
}

std::string Teller::upper(std::string word) {
  for (char& letter : word) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return word;
}

std::string Teller::counted(std::uint32_t count, std::string_view noun) {
  std::string text = std::to_string(count) + ' ' + std::string(noun);
  if (count != 1) text += noun.ends_with('s') ? "es" : "s";
  return text;
}

std::string Teller::list(Symbol addresses, std::string_view nobody) const {
  const std::string& joined = word(addresses);
  if (joined.empty()) return std::string(nobody);
  std::string text;
  for (const char letter : joined) {
    text += letter;
    if (letter == ',') text += ' ';
  }
  return text;
}

bool Teller::both_families(Symbol addresses) const {
  bool v4 = false;
  bool v6 = false;
  for (std::string_view rest = word(addresses); !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find(','));
    // With a port or without: an IPv6 one has more colons than one.
    (std::ranges::count(one, ':') > 1 ? v6 : v4) = true;
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  return v4 && v6;
}

std::string Teller::reason(Symbol why) const {
  return why == Symbol::none ? std::string() : say(": ", why);
}

}  // namespace greetlab
