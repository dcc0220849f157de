#include "core/search_list.h"

#include <algorithm>

namespace greetlab {

std::vector<std::string> search_list(std::string_view name, const std::vector<std::string>& search,
                                     int ndots) {
  if (name.ends_with('.')) return {std::string(name.substr(0, name.size() - 1))};

  std::vector<std::string> names;
  for (const std::string& domain : search) {
    // "." in a search line is the root: the name as it is.
    const std::string suffix = domain.ends_with('.') ? domain.substr(0, domain.size() - 1) : domain;
    if (!suffix.empty()) names.push_back(std::string(name) + "." + suffix);
  }
  const bool as_is_first = std::count(name.begin(), name.end(), '.') >= ndots;
  names.insert(as_is_first ? names.begin() : names.end(), std::string(name));
  return names;
}

}  // namespace greetlab
