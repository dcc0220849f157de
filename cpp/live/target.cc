#include "live/target.h"

#include <arpa/inet.h>

#include <cctype>
#include <stdexcept>

#include "dns/address_order.h"
#include "dns/hosts.h"

namespace greetlab {
namespace {

[[noreturn]] void fail(const std::string& why) {
  throw std::invalid_argument(why);
}

// An IPv6 one may have a zone: which interfaces there are shows when it is dialled.
bool is_ip(const std::string& text) {
  in6_addr ignored;
  if (inet_pton(AF_INET, text.c_str(), &ignored) == 1) return true;
  const auto percent = text.find('%');
  const bool empty_zone = percent + 1 == text.size();
  return !empty_zone && inet_pton(AF_INET6, text.substr(0, percent).c_str(), &ignored) == 1;
}

std::vector<Address> addresses_in(std::string_view list) {
  std::vector<Address> addresses;
  while (!list.empty()) {
    const auto comma = list.find(',');
    addresses.push_back(parse_address(list.substr(0, comma)));
    if (!is_ip(addresses.back().ip)) fail("'" + addresses.back().ip + "' is no IP address");
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  if (addresses.empty()) fail("no address");
  return addresses;
}

/// RFC 3986 2.1. A '%' that no two digits follow stays: it begins a zone, as people write it, where
/// RFC 6874 wants "%25".
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

// "//server/name", "//server:port/name", "/name" or "name".
Target parse_server_and_name(std::string_view rest) {
  Target target;
  if (take(rest, "//")) {
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) fail("no '/' after the server");
    std::string server(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
    if (!server.empty()) {
      target.server = is_ip(server) ? Address{server, 53} : parse_address(server);
      if (!is_ip(target.server->ip)) fail("the DNS server is not named by its IP address");
    }
  } else {
    take(rest, "/");
  }
  target.authority = percent_decoded(rest);
  return target;
}

}  // namespace

std::string name_to_verify(const Target& target) {
  return target.name.empty() ? target.addresses.front().ip : target.name;
}

Target parse_addresses(std::string_view rest) {
  Target target;
  target.addresses = addresses_in(percent_decoded(rest));
  target.authority = to_string(target.addresses.front());
  return target;
}

Target parse_srv(std::string_view rest) {
  Target target = parse_server_and_name(rest);
  target.name = target.authority;
  if (target.name.empty()) fail("no name");
  return target;
}

Target parse_watch(std::string_view rest) {
  Target target = parse_server_and_name(rest);
  target.name = target.authority;
  if (target.server) fail("a cluster is watched as its own clients see it: watch:///name");
  if (target.name.empty() || target.name.find(':') != std::string::npos) {
    fail("a service's name, without a port: the endpoints have the pods'");
  }
  return target;
}

Target parse_k8s(std::string_view rest) {
  if (rest.starts_with("//") && !rest.starts_with("///")) {
    fail("which API is asked, a kubeconfig says: k8s:///service.namespace:port");
  }
  Target target = parse_server_and_name(rest);
  target.kube = parse_kube_service(target.authority);
  target.name = target.authority.substr(0, target.authority.find(':'));
  return target;
}

Target parse_dns(std::string_view rest) {
  Target target = parse_server_and_name(rest);
  const Address named = parse_address(target.authority);  // a name in place of the address
  target.name = named.ip;
  target.port = named.port;
  std::vector<std::string> known;
  if (is_localhost(target.name)) known = in_order({"127.0.0.1", "::1"});
  if (is_ip(target.name)) known = {target.name};
  for (const std::string& ip : known) target.addresses.push_back({ip, target.port});
  return target;
}

}  // namespace greetlab
