#include "live/socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace greetlab {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// What stands behind '%' says on which link a link-local address is (RFC 4007 11): an interface, by
// its name or its number. 0: there is none of that name.
std::uint32_t scope_of(const std::string& zone) {
  std::uint32_t number = 0;
  const char* const last = zone.data() + zone.size();
  const auto [end, error] = std::from_chars(zone.data(), last, number);
  return error == std::errc{} && end == last ? number : if_nametoindex(zone.c_str());
}

// Nothing for what is no IP address.
std::optional<SocketAddress> socket_address(const Address& address) {
  SocketAddress made;
  const auto percent = address.ip.find('%');
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
  if (inet_pton(AF_INET, address.ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    made.size = sizeof *v4;
    return made;
  }
  if (inet_pton(AF_INET6, address.ip.substr(0, percent).c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    if (percent != std::string::npos) v6->sin6_scope_id = scope_of(address.ip.substr(percent + 1));
    made.size = sizeof *v6;
    return made;
  }
  return std::nullopt;
}

}  // namespace

Dialled begin_to_connect(const Address& address, const SocketOptions& options) {
  std::optional<SocketAddress> to = socket_address(address);
  if (!to) return {Descriptor{}, EAFNOSUPPORT};
  const bool has_zone = address.ip.find('%') != std::string::npos;
  if (has_zone && reinterpret_cast<const sockaddr_in6*>(&to->storage)->sin6_scope_id == 0) {
    return {Descriptor{}, ENODEV};
  }
  Descriptor fd(socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return {Descriptor{}, errno};
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // as gRPC does
  if (options.user_timeout.count() > 0) {
    const auto most = std::chrono::milliseconds(std::numeric_limits<int>::max());
    const auto given = std::chrono::ceil<std::chrono::milliseconds>(options.user_timeout);
    const auto timeout = static_cast<unsigned int>(std::min(given, most).count());
    setsockopt(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  }
  if (!options.source_ip.empty()) {
    std::optional<SocketAddress> from = socket_address({options.source_ip, 0});
    // The port is chosen when it connects: then one port can serve connections to several peers.
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd.get(), from->get(), from->size) < 0) return {Descriptor{}, errno};
  }
  if (connect(fd.get(), to->get(), to->size) < 0 && errno != EINPROGRESS) {
    return {Descriptor{}, errno};
  }
  return {std::move(fd), 0};
}

int connect_error(const Descriptor& fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

std::string local_address(const Descriptor& fd) {
  SocketAddress own;
  own.size = sizeof own.storage;
  if (getsockname(fd.get(), own.get(), &own.size) < 0) return {};
  std::array<char, NI_MAXHOST> ip{};  // with its zone, if it has one
  getnameinfo(own.get(), own.size, ip.data(), ip.size(), nullptr, 0, NI_NUMERICHOST);
  // The port is at the same place in both families.
  return to_string(Address{ip.data(), ntohs(reinterpret_cast<sockaddr_in*>(own.get())->sin_port)});
}

void require_source_ip(const std::string& source_ip) {
  if (source_ip.empty() || socket_address({source_ip, 0})) return;
  throw std::invalid_argument("source address '" + source_ip + "': it is no IP address");
}

}  // namespace greetlab
