// Where a server listens: an IP address and a port.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greetlab {

/// An IP address as text and a port. A plain value: equal text is an equal address.
struct Address {
  std::string ip;
  std::uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
};

/// Whether it is an IPv6 one.
inline bool is_v6(const Address& address) {
  return address.ip.find(':') != std::string::npos;
}

/// "10.244.0.3:50051", and "[fd00::3]:50051" for IPv6.
std::string to_string(const Address& address);

/// The same for several: "10.244.0.3:50051,10.244.0.4:50051".
std::string to_string(const std::vector<Address>& addresses);

/// Reads what `to_string` writes. Says nothing about whether `ip` is a valid IP address: whoever
/// dials it finds out.
///
/// @throws std::invalid_argument naming the text and what is wrong with it.
Address parse_address(std::string_view text);

}  // namespace greetlab
