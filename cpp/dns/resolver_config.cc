#include "dns/resolver_config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "core/read_line.h"

namespace greetlab {
namespace {

constexpr std::uint16_t kDnsPort = 53;

/// The number in "ndots:5", if the option is the one called `key`. resolv.conf(5) caps it silently.
std::optional<int> option_value(std::string_view option, std::string_view key, int cap) {
  if (!option.starts_with(key)) return std::nullopt;
  option.remove_prefix(key.size());
  int value = 0;
  const auto [end, error] = std::from_chars(option.data(), option.data() + option.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  return std::min(value, cap);
}

}  // namespace

// No library reads it for us: c-ares takes any path, but newer versions (1.34) give back only the
// options that their caller has set, and glibc's res_ninit reads /etc/resolv.conf and no other.
ResolverConfig system_resolver_config(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("read the resolver configuration " + path + ": " +
                             std::generic_category().message(errno));
  }
  ResolverConfig config;
  for (std::string line; read_line(file, line);) {
    std::istringstream words(line);
    std::string keyword;
    words >> keyword;
    if (keyword == "nameserver") {
      if (std::string ip; words >> ip) config.servers.push_back({ip, kDnsPort});
    } else if (keyword == "search" || keyword == "domain") {  // the last of either counts
      config.search.clear();
      for (std::string domain; words >> domain;) config.search.push_back(domain);
    } else if (keyword == "options") {
      for (std::string option; words >> option;) {
        if (const auto ndots = option_value(option, "ndots:", 15)) config.ndots = *ndots;
        if (const auto seconds = option_value(option, "timeout:", 30)) {
          config.timeout = std::chrono::seconds(std::max(*seconds, 1));
        }
        if (const auto times = option_value(option, "attempts:", 5)) {
          config.attempts = std::max(*times, 1);
        }
      }
    }
  }
  if (config.servers.empty()) config.servers.push_back({"127.0.0.1", kDnsPort});
  return config;
}

}  // namespace greetlab
