// What a client is told to connect to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "kube/kube_service.h"

namespace greetlab {

/// A target (grpc/grpc doc/naming.md):
///
///     dns:///name:port                 A and AAAA of the name, at this port
///     dns://server:port/name:port      the same, asked of that DNS server only
///     name:port                        the same as dns:///name:port, and so is dns:/name:port:
///                                      without an authority a slash is no part of the name
///     srv:///name, srv://server/name   SRV of the name, which has the port (RFC 2782). gRPC itself
///                                      asks for SRV only to find balancers
///     watch:///name                    the endpoints of that service, as the cluster tells of them
///                                      (their ports are the pods')
///     k8s:///name.namespace:port       the same, as a real cluster's API tells of them (kube/);
///     the
///                                      port is the pods', by its number or its name. Without it:
///                                      the only one; without a namespace: the client's own
///     static:ip:port,ip:port           these addresses; ipv4: and ipv6: are gRPC's words for it
///
/// What stands for another letter (%6c) is that letter (RFC 3986 2.1). A name that is an IP
/// address, or localhost (RFC 6761 6.3), is not looked up. A link-local address has a zone:
/// [fe80::1%eth0]:port, [fe80::1%25eth0]:port (RFC 6874) or, by its number, [fe80::1%2]:port.
struct Target {
  std::string_view scheme;        ///< "dns": one of those in resolvers.cc.
  std::optional<Address> server;  ///< nothing: those of resolv.conf
  std::string name;
  std::uint16_t port = 0;  ///< Of dns.
  std::vector<Address> addresses;
  std::optional<KubeService> kube;  ///< Of k8s.
  std::string authority;            ///< What its calls say they are for.
};

/// What a server's certificate must say: the name that is looked up, never what it was looked up
/// to, for that comes from DNS, which nobody vouches for. Of a list of addresses it is the first,
/// as gRPC has it.
std::string name_to_verify(const Target& target);

// Each reads what follows its scheme.
// @throws std::invalid_argument saying what is wrong with it.
Target parse_dns(std::string_view rest);
Target parse_srv(std::string_view rest);
Target parse_k8s(std::string_view rest);
Target parse_watch(std::string_view rest);
Target parse_addresses(std::string_view rest);

}  // namespace greetlab
