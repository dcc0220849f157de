// How what cannot be done is refused: an exception, whose text is for people.
#pragma once

#include <initializer_list>
#include <string_view>

namespace greetlab {

/// @param why what was tried, why not, what to do: the parts of it in a row. Put together here, and
///        not by who refuses: there are a hundred places that do.
/// @throws std::invalid_argument always.
[[noreturn]] void misuse(std::initializer_list<std::string_view> why);

}  // namespace greetlab
