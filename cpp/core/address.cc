#include "core/address.h"

#include <charconv>

#include "core/misuse.h"

namespace greetlab {

std::string to_string(const Address& address) {
  return (is_v6(address) ? "[" + address.ip + "]" : address.ip) + ":" +
         std::to_string(address.port);
}

std::string to_string(const std::vector<Address>& addresses) {
  std::string joined;
  for (const Address& address : addresses) {
    if (!joined.empty()) joined += ',';
    joined += to_string(address);
  }
  return joined;
}

Address parse_address(std::string_view text) {
  const auto fail = [&](const char* why) {
    misuse({"address '", text, "': ", why, " (expected ip:port, such as 10.244.0.3:50051)"});
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) fail("no port");

  std::string_view ip = text.substr(0, colon);
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
  } else if (ip.find(':') != std::string_view::npos) {
    fail("an IPv6 address goes in brackets");
  }
  if (ip.empty()) fail("no ip");

  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size())
    fail("the port is not a number from 0 to 65535");
  return {std::string(ip), port};
}

}  // namespace greetlab
