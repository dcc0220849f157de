#include "core/text_file.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace greetlab {

std::string read_text_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();  // of a folder, only this fails
  if (!file.is_open() || text.str().empty()) {
    const std::string why = errno != 0 ? std::generic_category().message(errno) : "it is empty";
    throw std::runtime_error("read " + path + ": " + why);
  }
  return text.str();
}

}  // namespace greetlab
