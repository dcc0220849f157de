// A decimal number out of a text: the same double everywhere, whatever the standard library has.
#pragma once

#include <charconv>
#include <string_view>

namespace greetlab {

/// As std::from_chars reads a double, but for "inf" and "nan", which are no numbers here: the
/// nearest double, of two as near the even one; what is nearer to 0 than any other is 0. libc++ has
/// from_chars for doubles since LLVM 20 only, with tables that would be a tenth of the page's
/// engine.
///
/// @return where the number ends, and invalid_argument if there is none, result_out_of_range if it
///         is larger than a double can be; `number` is left alone then.
std::from_chars_result read_number(std::string_view text, double& number);

}  // namespace greetlab
