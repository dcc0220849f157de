// Text from outside is only text: a server's name for itself, a status message.
#pragma once

#include <string>
#include <string_view>

namespace greetlab {

/// The text on one line, with all that is no letter to look at (controls, bidi controls, line
/// separators, bytes that are no UTF-8) as its escape: "\x1b", "\u202e", "\n". Twice is as once.
/// bindings/greetlab/text.py says the same to Python.
std::string printable(std::string_view text);

/// The text as it is, only with the bytes that are no UTF-8 as their escapes.
std::string utf8(std::string_view text);

}  // namespace greetlab
