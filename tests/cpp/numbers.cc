// A number out of a text is the one that std::from_chars reads.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "core/number.h"
#include "core/rng.h"

namespace {

int wrong = 0;

void same(std::string_view text) {
  double expected = -7;
  double found = -7;
  const auto one = std::from_chars(text.data(), text.data() + text.size(), expected);
  const auto other = greetlab::read_number(text, found);
  const bool same_bits = std::memcmp(&expected, &found, sizeof(found)) == 0;
  if (one.ec == other.ec && one.ptr == other.ptr && same_bits) return;
  std::printf("'%.*s': %.17g, and not %.17g\n", static_cast<int>(text.size()), text.data(), found,
              expected);
  ++wrong;
}

void random_ones(int count, std::uint64_t digits, std::int64_t exponents) {
  greetlab::Rng rng(digits);
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (std::uint64_t n = rng.below(digits) + 1; n > 0; --n) {
      text += static_cast<char>('0' + rng.below(10));
    }
    text.insert(rng.below(text.size()), ".");
    const auto spread = static_cast<std::uint64_t>(2 * exponents + 1);
    text += 'e' + std::to_string(static_cast<std::int64_t>(rng.below(spread)) - exponents);
    same(text);
  }
}

}  // namespace

int main() {
  for (const std::string_view text :
       {"0", "1.5s", "250us", "-3", "-0", "1e3", "1E-3x", "1e", "1e+5", "1.", ".5", ".", "-", "",
        " 1", "+1", "0x10", "1.5.2", "1-2", "5e5e5", "ms", "0.1", "1e999", "0e999",
        "1e99999999999999999999", "123456789012345678901234567890",
        // Half way between two, and a little more.
        "9007199254740993", "9007199254740993.0000000000000000000000000000000000001",
        "9007199254740995", "1.7976931348623157e308", "1.7976931348623159e308",
        "4.9406564584124654e-324", "2.2250738585072011e-308"}) {
    same(text);
  }
  const std::string long_one = "9007199254740993." + std::string(2000, '0');
  same(long_one);
  same(long_one + '1');
  same(long_one + '1' + long_one);
  random_ones(5000, 20, 25);
  random_ones(200, 40, 280);
  return wrong == 0 ? 0 : 1;
}
