// A line of a file that may be anything.
#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace greetlab {

/// The longest line that anything here writes or reads.
inline constexpr std::size_t kLongestLine = 1 << 20;

/// std::getline, which reads no further than `kLongestLine`: /dev/zero is one line without an end.
/// Of a longer one `line` has the beginning, and the stream has failed without being at its end.
inline bool read_line(std::istream& in, std::string& line) {
  line.resize(kLongestLine);
  in.getline(line.data(), static_cast<std::streamsize>(kLongestLine));
  const auto read = static_cast<std::size_t>(in.gcount());
  // The newline is counted, and is not there; the file's end and the bound are no characters.
  line.resize(read - (in.good() && read > 0 ? 1 : 0));
  return in.good() || (in.eof() && read > 0);
}

}  // namespace greetlab
