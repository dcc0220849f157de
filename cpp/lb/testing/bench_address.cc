#include "lb/testing/bench_address.h"

#include <cstdint>
#include <stdexcept>

namespace greetlab {
namespace {

constexpr std::uint16_t kPortOfAName = 1;

}  // namespace

Address bench_address(const std::string& text) {
  if (text.find(':') != std::string::npos) return parse_address(text);
  if (text.empty()) throw std::invalid_argument("an address is ip:port or a short name, not ''");
  return {text, kPortOfAName};
}

Endpoint bench_endpoint(const std::string& text) {
  Endpoint endpoint;
  std::size_t start = 0;
  for (std::size_t plus; (plus = text.find('+', start)) != std::string::npos; start = plus + 1) {
    endpoint.addresses.push_back(bench_address(text.substr(start, plus - start)));
  }
  endpoint.addresses.push_back(bench_address(text.substr(start)));
  return endpoint;
}

std::string bench_name(const Address& address) {
  return address.port == kPortOfAName && address.ip.find_first_of(".:") == std::string::npos
             ? address.ip
             : to_string(address);
}

std::string bench_names(const std::vector<Address>& addresses) {
  std::string joined;
  for (const Address& address : addresses) {
    joined += (joined.empty() ? "" : ", ") + bench_name(address);
  }
  return joined;
}

}  // namespace greetlab
