// A line of a file that may be anything.
#pragma once

#include <array>
#include <cstddef>
#include <istream>
#include <string>

namespace greetlab {

/// The longest line that anything here writes or reads.
inline constexpr std::size_t kLongestLine = 1 << 20;

/// std::getline, which reads no further than `kLongestLine`: /dev/zero is one line without an end.
/// Of a longer one `line` has the beginning, and the stream has failed without being at its end.
inline bool read_line(std::istream& in, std::string& line) {
  line.clear();
  std::array<char, 4096> some;  // a piece at a time: a megabyte that is made ready costs more
  for (;;) {
    in.getline(some.data(), some.size());
    const auto read = static_cast<std::size_t>(in.gcount());
    // The newline is counted, and is not there; the file's end and the bound are no characters.
    line.append(some.data(), read - (in.good() && read > 0 ? 1 : 0));
    const bool goes_on = in.fail() && !in.eof() && !in.bad();
    if (!goes_on) return in.good() || (in.eof() && !line.empty());
    if (line.size() >= kLongestLine) return false;
    in.clear();
  }
}

}  // namespace greetlab
