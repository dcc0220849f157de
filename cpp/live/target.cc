#include "live/target.h"

#include <arpa/inet.h>

#include <cctype>
#include <stdexcept>

#include "dns/address_order.h"
#include "dns/hosts.h"

namespace greetlab {
namespace {

[[noreturn]] void fail(std::string_view text, const std::string& why) {
  throw std::invalid_argument("target '" + std::string(text) + "': " + why +
                              " (expected dns:///name:port, dns://server:port/name:port, "
                              "srv:///name or static:ip:port,...)");
}

bool is_ip(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

Address address_in(std::string_view text, std::string_view part) {
  try {
    return parse_address(part);
  } catch (const std::invalid_argument& error) {
    fail(text, error.what());
  }
}

std::vector<Address> addresses_in(std::string_view text, std::string_view list) {
  std::vector<Address> addresses;
  while (!list.empty()) {
    const auto comma = list.find(',');
    addresses.push_back(address_in(text, list.substr(0, comma)));
    if (!is_ip(addresses.back().ip)) fail(text, "'" + addresses.back().ip + "' is no IP address");
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  if (addresses.empty()) fail(text, "no address");
  return addresses;
}

/// RFC 3986 2.1. A '%' that no two digits follow stays: it begins a zone.
std::string percent_decoded(std::string_view text) {
  const auto digit = [&](std::size_t at) {
    const bool is_hex = at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at]));
    return is_hex ? std::optional(std::stoi(std::string(1, text[at]), nullptr, 16)) : std::nullopt;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = digit(i + 1);
    const auto low = digit(i + 2);
    const bool coded = text[i] == '%' && high && low;
    decoded += coded ? static_cast<char>(*high * 16 + *low) : text[i];
    if (coded) i += 2;
  }
  return decoded;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

Target parse_target(std::string_view text) {
  Target target;
  std::string_view rest = text;
  for (const std::string_view scheme : {"static:", "ipv4:", "ipv6:"}) {
    if (!take(rest, scheme)) continue;
    target.kind = Target::Kind::addresses;
    target.addresses = addresses_in(text, rest);
    target.authority = to_string(target.addresses.front());
    return target;
  }
  if (take(rest, "srv:")) {
    target.kind = Target::Kind::srv;
  } else if (!take(rest, "dns:") && rest.find("://") != std::string_view::npos) {
    fail(text, "no such scheme");
  }
  if (take(rest, "//")) {
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) fail(text, "no '/' after the server");
    std::string server(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
    if (!server.empty()) {
      target.server = is_ip(server) ? Address{server, 53} : address_in(text, server);
      if (!is_ip(target.server->ip)) fail(text, "the DNS server is not named by its IP address");
    }
  } else {
    take(rest, "/");
  }
  const std::string path = percent_decoded(rest);
  rest = path;
  target.authority = rest;
  if (target.kind == Target::Kind::srv) {
    target.name = rest;
    if (target.name.empty()) fail(text, "no name");
    return target;
  }
  const Address named = address_in(text, rest);  // a name in place of the address
  target.name = named.ip;
  target.port = named.port;
  std::vector<std::string> known;
  if (is_localhost(target.name)) known = in_order({"127.0.0.1", "::1"});
  if (is_ip(target.name)) known = {target.name};
  for (const std::string& ip : known) target.addresses.push_back({ip, target.port});
  if (!known.empty()) target.kind = Target::Kind::addresses;
  return target;
}

}  // namespace greetlab
