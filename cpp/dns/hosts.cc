#include "dns/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

#include "core/read_line.h"

namespace greetlab {

namespace {

std::string plain(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

bool is_address(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

}  // namespace

bool is_localhost(std::string_view name) {
  const std::string wanted = plain(name);
  return wanted == "localhost" || wanted.ends_with(".localhost");
}

std::vector<std::string> hosts_addresses(std::string_view name, const std::string& path) {
  const std::string wanted = plain(name);
  std::vector<std::string> found;
  std::ifstream file(path);
  for (std::string line; read_line(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string ip;
    if (!(words >> ip) || !is_address(ip)) continue;
    for (std::string host; words >> host;) {
      const bool again = std::ranges::find(found, ip) != found.end();
      if (plain(host) == wanted && !again) found.push_back(ip);
    }
  }
  return found;
}

}  // namespace greetlab
