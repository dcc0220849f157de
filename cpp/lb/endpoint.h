// One server, and the ways to it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/address.h"

namespace greetlab {

/// What a resolver knows of an endpoint besides: its locality, its weight. A policy asks by name.
using Attributes = std::map<std::string, std::string, std::less<>>;

/// gRFC A61: several addresses of one server, an IPv4 and an IPv6 one, say, are one endpoint. A
/// policy connects to one of them.
struct Endpoint {
  std::vector<Address> addresses;  ///< One at least.
  Attributes attributes = {};

  bool operator==(const Endpoint&) const = default;
};

/// Each address an endpoint of its own: DNS does not say which belong to one server.
inline std::vector<Endpoint> endpoints_of(std::vector<Address> addresses) {
  std::vector<Endpoint> endpoints;
  endpoints.reserve(addresses.size());
  for (Address& address : addresses) endpoints.push_back({{std::move(address)}});
  return endpoints;
}

/// All of their addresses, in their order.
inline std::vector<Address> addresses_of(const std::vector<Endpoint>& endpoints) {
  std::vector<Address> addresses;
  addresses.reserve(endpoints.size());
  for (const Endpoint& endpoint : endpoints) {
    addresses.insert(addresses.end(), endpoint.addresses.begin(), endpoint.addresses.end());
  }
  return addresses;
}

}  // namespace greetlab
