#include "dns/address_order.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <tuple>

namespace greetlab {

namespace {

/// All as IPv6: an IPv4 address is ::ffff:a.b.c.d (RFC 4291 2.5.5.2), as RFC 6724's table has it.
using Bytes = std::array<std::uint8_t, 16>;

Bytes bytes_of(const std::string& ip) {
  Bytes bytes{};
  if (inet_pton(AF_INET6, ip.c_str(), bytes.data()) == 1) return bytes;
  bytes = {};
  bytes[10] = bytes[11] = 0xff;
  inet_pton(AF_INET, ip.c_str(), &bytes[12]);
  return bytes;
}

int common_bits(const Bytes& a, const Bytes& b) {
  int bits = 0;
  while (bits < 128 &&
         ((a[static_cast<std::size_t>(bits / 8)] ^ b[static_cast<std::size_t>(bits / 8)]) &
          (0x80 >> bits % 8)) == 0) {
    ++bits;
  }
  return bits;
}

struct Policy {
  const char* prefix;
  int bits;
  int precedence;
  int label;
};

/// RFC 6724 2.1, longest prefix first.
constexpr std::array<Policy, 9> kPolicies{{{"::1", 128, 50, 0},
                                           {"::ffff:0.0.0.0", 96, 35, 4},
                                           {"::", 96, 1, 3},
                                           {"2001::", 32, 5, 5},
                                           {"2002::", 16, 30, 2},
                                           {"3ffe::", 16, 1, 12},
                                           {"fec0::", 10, 1, 11},
                                           {"fc00::", 7, 3, 13},
                                           {"::", 0, 40, 1}}};

const Policy& policy_of(const Bytes& address) {
  return *std::ranges::find_if(kPolicies, [&](const Policy& policy) {
    return common_bits(address, bytes_of(policy.prefix)) >= policy.bits;
  });
}

bool is_v4(const Bytes& address) {
  return common_bits(address, bytes_of("::ffff:0.0.0.0")) >= 96;
}

/// Larger is wider. As gRPC has it, which takes each IPv4 address for a global one.
int scope_of(const Bytes& address) {
  const bool link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
  const bool site_local = address[0] == 0xfe && (address[1] & 0xc0) == 0xc0;
  if (link_local || address == bytes_of("::1")) return 1;
  return site_local ? 2 : 3;
}

/// What the rules compare, one after the other: less comes first.
std::tuple<bool, bool, bool, int, int, int> rank(const std::string& ip, const SourceOf& source_of) {
  const Bytes address = bytes_of(ip);
  const std::optional<std::string> from = source_of(ip);
  const Bytes source = from ? bytes_of(*from) : Bytes{};
  const bool v6 = from && !is_v4(source);
  return {!from.has_value(),                                    // 1: unusable ones last
          scope_of(address) != scope_of(source),                // 2: of the source's scope
          policy_of(address).label != policy_of(source).label,  // 5: of its label
          -policy_of(address).precedence,                       // 6
          scope_of(address),                                    // 8: the smaller one
          v6 ? -common_bits(address, source) : 0};              // 9: the longest prefix
}

}  // namespace

std::optional<std::string> kernel_source(const std::string& ip) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    storage.ss_family = AF_INET;
    v4->sin_port = htons(53);
    length = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    storage.ss_family = AF_INET6;
    v6->sin6_port = htons(53);
    length = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  const int socket = ::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  std::optional<std::string> source;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&storage), length) == 0 &&
      getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) == 0) {
    std::array<char, INET6_ADDRSTRLEN> text;
    const void* const from = storage.ss_family == AF_INET
                                 ? static_cast<const void*>(&v4->sin_addr)
                                 : static_cast<const void*>(&v6->sin6_addr);
    source = inet_ntop(storage.ss_family, from, text.data(), text.size());
  }
  close(socket);
  return source;
}

std::vector<std::string> in_order(std::vector<std::string> ips, const SourceOf& source_of) {
  const auto plain = [](const std::string& ip) { return ip.find(':') == std::string::npos; };
  if (std::ranges::all_of(ips, plain)) return ips;
  std::vector<std::pair<decltype(rank("", source_of)), std::string>> ranked;
  for (std::string& ip : ips) ranked.emplace_back(rank(ip, source_of), std::move(ip));
  std::ranges::stable_sort(ranked, {}, [](const auto& one) { return one.first; });
  ips.clear();
  for (auto& [key, ip] : ranked) ips.push_back(std::move(ip));
  return ips;
}

}  // namespace greetlab
