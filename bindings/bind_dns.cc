// DNS on the wire, as Python asks for it.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>

#include "bindings.h"
#include "core/lookup.h"
#include "dns/address_order.h"
#include "dns/hosts.h"
#include "dns/message.h"
#include "dns/resolver.h"
#include "dns/resolver_config.h"
#include "waiting.h"

namespace py = pybind11;

namespace greetlab {
namespace {

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> result;
  for (const Address& address : addresses) result.push_back(to_string(address));
  return result;
}

ResolverConfig make_config(const std::vector<std::string>& servers, std::vector<std::string> search,
                           int ndots, double timeout, int attempts) {
  ResolverConfig config;
  for (const std::string& server : servers) config.servers.push_back(parse_address(server));
  config.search = std::move(search);
  config.ndots = ndots;
  // Compared in this form so that NaN is refused, too.
  if (!(timeout >= 0.001 && timeout <= 3600)) {
    throw std::invalid_argument("resolver: the timeout must be 0.001 to 3600 seconds, not " +
                                std::to_string(timeout));
  }
  config.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(seconds(timeout));
  config.attempts = attempts;
  return config;
}

Lookup lookup(DnsResolver& resolver, std::string name, const std::vector<std::string>& types) {
  std::vector<RecordType> wanted;
  for (const std::string& type : types) wanted.push_back(parse_record_type(type));
  const Unlocked unlocked;
  return resolver.lookup(std::move(name), std::move(wanted), [] {
    if (!signalled()) return;
    const py::gil_scoped_acquire to_take_the_exception;
    throw py::error_already_set();
  });
}

}  // namespace

void bind_dns(py::module_& m) {
  using namespace py::literals;
  py::class_<ResolverConfig>(m, "ResolverConfig", "What resolv.conf(5) can say.")
      .def_property_readonly(
          "servers", [](const ResolverConfig& config) { return texts(config.servers); },
          "'ip:port' of each server, in the order of asking.")
      .def_readonly("search", &ResolverConfig::search, "The search domains.")
      .def_readonly("ndots", &ResolverConfig::ndots,
                    "A name with fewer dots is tried with the search domains first.")
      .def_property_readonly(
          "timeout",
          [](const ResolverConfig& config) {
            return std::chrono::duration<double>(config.timeout).count();
          },
          "Seconds that each question waits for its reply.")
      .def_readonly("attempts", &ResolverConfig::attempts, "Times round the list of servers.");

  m.def(
      "address_order",
      [](std::vector<std::string> ips,
         const std::optional<std::map<std::string, std::string>>& sources) {
        if (!sources) return in_order(std::move(ips));
        return in_order(std::move(ips), [&](const std::string& ip) -> std::optional<std::string> {
          const auto found = sources->find(ip);
          if (found == sources->end()) return std::nullopt;
          return found->second;
        });
      },
      "ips"_a, "sources"_a = py::none(),
      "IP addresses in the order in which a client tries them (RFC 6724). sources: the address "
      "that "
      "one would connect from to each; who is missing cannot be reached; None: ask the kernel.");
  m.def(
      "hosts_addresses",
      [](std::string_view name, const std::string& path) {
        return hosts_addresses(name, checked_path(path));
      },
      "name"_a, "path"_a = "/etc/hosts", "The addresses of a name in a hosts(5) file.");

  m.def(
      "system_resolver_config",
      [](const std::string& path) { return system_resolver_config(checked_path(path)); },
      "path"_a = "/etc/resolv.conf",
      "Reads a resolv.conf(5): nameserver, search, domain, and the options ndots, timeout and "
      "attempts.\n\nRaises RuntimeError, naming the file, if it cannot be read.");

  py::class_<DnsResolver>(m, "DnsResolver",
                          "A stub resolver on c-ares that shows every query it sends. It caches "
                          "nothing; any thread may use it.")
      .def(py::init([](const std::vector<std::string>& servers, std::vector<std::string> search,
                       int ndots, double timeout, int attempts) {
             return std::make_unique<DnsResolver>(
                 make_config(servers, std::move(search), ndots, timeout, attempts));
           }),
           "servers"_a, "search"_a = std::vector<std::string>{}, "ndots"_a = 1, "timeout"_a = 5.0,
           "attempts"_a = 2,
           "Args:\n"
           "    servers: 'ip:port' of each DNS server, asked in this order.\n"
           "    search: domains to try behind a name, as in resolv.conf(5).\n"
           "    ndots: a name with fewer dots is tried with the search domains first.\n"
           "    timeout: seconds that each question waits for its reply.\n"
           "    attempts: times round the list of servers.\n\n"
           "Raises ValueError if one of these makes no sense.")
      .def_property_readonly("config", &DnsResolver::config, "What it was made with.")
      .def(
          "lookup", &lookup, "name"_a, "types"_a = std::vector<std::string>{"A", "AAAA"},
          "Looks a name up, and waits for the outcome; Ctrl-C ends the wait.\n\n"
          "The names of the search list are tried in order (resolv.conf(5)), each for all types "
          "at once. A server that is silent, broken, or answers SERVFAIL, REFUSED or NOTIMP gives "
          "way to the next; a truncated reply is asked for again over TCP; NXDOMAIN and an answer "
          "without data lead to the next name; anything else ends the lookup.\n\n"
          "It ends in time, whatever the servers do: after servers * attempts timeouts if they are "
          "silent, after twice as many if UDP is truncated and TCP stalls; and only servers that "
          "answer each name at the last moment make that count for each name of the search list."
          "\n\n"
          "Args:\n"
          "    name: with a final dot, it is tried as it is and not otherwise.\n"
          "    types: of 'A', 'AAAA', 'SRV'.\n\n"
          "Returns a Lookup, whatever came of it. Raises ValueError for an empty name, or a type "
          "that is none of these.");
}

}  // namespace greetlab
