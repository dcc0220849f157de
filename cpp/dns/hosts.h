// Names that are not asked of DNS: localhost and its kin, and those of /etc/hosts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace greetlab {

/// "localhost", "localhost.", "a.localhost": always the loopback addresses (RFC 6761 6.3). Stock
/// gRPC does so since c-ares has it; the one of Debian 12 knows "localhost" only.
bool is_localhost(std::string_view name);

/// The addresses of a name in a hosts(5) file, in the order of its lines; none where the file has
/// none, or cannot be read. The names are compared as DNS does, without case.
std::vector<std::string> hosts_addresses(std::string_view name,
                                         const std::string& path = "/etc/hosts");

}  // namespace greetlab
