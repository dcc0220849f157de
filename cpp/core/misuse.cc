#include "core/misuse.h"

#include <stdexcept>
#include <string>

namespace greetlab {

void misuse(std::initializer_list<std::string_view> why) {
  std::string text;
  for (const std::string_view part : why) text += part;
  throw std::invalid_argument(text);
}

}  // namespace greetlab
