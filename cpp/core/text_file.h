// A file, read at once.
#pragma once

#include <string>

namespace greetlab {

/// @throws std::runtime_error naming the file and why it could not be read: it is not there, or has
/// nothing in it.
std::string read_text_file(const std::string& path);

}  // namespace greetlab
