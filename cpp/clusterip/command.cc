#include "clusterip/command.h"

#include <sstream>
#include <stdexcept>

namespace greetlab {

std::vector<Address> parse_endpoints(const std::string& text) {
  std::vector<Address> endpoints;
  std::istringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) endpoints.push_back(parse_address(item));
  return endpoints;
}

std::optional<std::vector<Address>> parse_command(const std::string& line) {
  std::istringstream stream(line);
  std::string verb, endpoints, more;
  stream >> verb >> endpoints >> more;
  if (verb.empty()) return std::nullopt;
  if (verb != "endpoints" || !more.empty()) {
    throw std::invalid_argument("'" + line + "' (expected: endpoints IP:PORT,IP:PORT,...)");
  }
  return parse_endpoints(endpoints);
}

}  // namespace greetlab
