// Durations as people write them on a command line.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace greetlab {

/// Reads "250us", "20ms", "1.5s", "5m", "1h". The unit must be there, so that nobody has to guess
/// it; "0" needs none.
///
/// @throws std::invalid_argument naming the text and what was expected.
std::chrono::nanoseconds parse_duration(std::string_view text);

/// The same backwards, in the largest of h, m, s, ms, us and ns of which it is a whole number:
/// "30s".
std::string to_text(std::chrono::nanoseconds duration);

}  // namespace greetlab
