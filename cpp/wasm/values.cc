#include "wasm/values.h"

namespace greetlab {

void set_option(const std::vector<AnyOption>& options, std::string_view name, std::string_view text,
                bool (*there)(std::string_view)) {
  std::string names;
  for (const AnyOption& one : options) {
    if (!there(one.name)) continue;
    if (one.name == name) {
      try {
        return one.type->set(one.value, text);
      } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string(name) + ": " + printable(error.what()));
      }
    }
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  }
  throw std::invalid_argument("no option '" + printable(name) + "': there is " + names);
}

}  // namespace greetlab
