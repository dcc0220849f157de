// In which order a client tries the addresses of a name: RFC 6724 section 6.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace greetlab {

/// The address that the kernel would connect from; nothing where it cannot connect there at all.
using SourceOf = std::function<std::optional<std::string>(const std::string& ip)>;

/// What the kernel says, by a UDP socket that is connected and sends nothing.
std::optional<std::string> kernel_source(const std::string& ip);

/// The addresses in the order of RFC 6724's rules 1, 2, 5, 6, 8 and 9, as gRPC has it (grpc/grpc
/// third_party/address_sorting): those that cannot be reached last, ::1 before 127.0.0.1, IPv6
/// before IPv4. Equals stay as they come, and so do addresses that are all IPv4.
///
/// @param ips IP addresses, without zones.
std::vector<std::string> in_order(std::vector<std::string> ips,
                                  const SourceOf& source_of = kernel_source);

}  // namespace greetlab
