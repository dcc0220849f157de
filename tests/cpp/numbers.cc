// A number out of a text is the same by strtod as by std::from_chars, which some libraries lack.
#include <charconv>
#include <cstdio>
#include <string_view>

#include "core/number.h"

int main() {
  int wrong = 0;
  for (const std::string_view text : {"0",
                                      "1.5s",
                                      "250us",
                                      "-3",
                                      "-0",
                                      "1e3",
                                      "1E-3x",
                                      "1e",
                                      "1e+5",
                                      "1.",
                                      ".5",
                                      ".",
                                      "-",
                                      "",
                                      " 1",
                                      "+1",
                                      "0x10",
                                      "1.5.2",
                                      "1-2",
                                      "5e5e5",
                                      "ms",
                                      "0.1",
                                      "1e999",
                                      "123456789012345678901234567890",
                                      "2.2250738585072011e-308"}) {
    double expected = -7;
    double found = -7;
    const auto one = std::from_chars(text.data(), text.data() + text.size(), expected);
    const auto other = greetlab::read_number_by_strtod(text, found);
    if (one.ec == other.ec && one.ptr == other.ptr && expected == found) continue;
    std::printf("'%s': %g, and not %g\n", text.data(), found, expected);
    ++wrong;
  }
  return wrong == 0 ? 0 : 1;
}
