// DNS as Python sees it: DnsResolver, and the facts that a lookup leaves behind.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>

#include "bindings.h"
#include "core/lookup.h"
#include "core/printable.h"
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

/// How a fact looks is Python's to say: `greetlab.dns.lookup.<function>(fact)`.
auto shown_by(const char* function) {
  return [function](const py::object& fact) {
    return py::module_::import("greetlab.dns.lookup").attr(function)(fact).cast<py::str>();
  };
}

void bind_facts(py::module_& m) {
  py::class_<SrvRecord>(m, "SrvRecord", "Where a service is (RFC 2782).")
      .def_readonly("priority", &SrvRecord::priority, "Lower is asked first.")
      .def_readonly("weight", &SrvRecord::weight, "The share among those of one priority.")
      .def_readonly("port", &SrvRecord::port)
      .def_readonly("target", &SrvRecord::target, "The host, without the final dot.")
      .def("__repr__", [](const SrvRecord& srv) {
        return printable("SrvRecord(" + std::to_string(srv.priority) + " " +
                         std::to_string(srv.weight) + " " + std::to_string(srv.port) + " " +
                         srv.target + ")");
      });

  py::class_<Record>(m, "Record", "One record of a reply (RFC 1035 4.1.3).")
      .def_readonly("name", &Record::name, "Whose record it is, without the final dot.")
      .def_property_readonly(
          "type", [](const Record& record) { return record_type_name(record.type); },
          "'A', 'AAAA', 'CNAME', 'SRV', or 'TYPE16' for any other (RFC 3597).")
      .def_readonly("ttl", &Record::ttl, "How many seconds it may be kept.")
      .def_readonly("text", &Record::text,
                    "The data as a zone file has it: an address, a CNAME's target, an SRV's "
                    "'priority weight port target', or '\\\\# length hex' (RFC 3597).")
      .def_readonly("srv", &Record::srv, "An SRV's parts; None for any other type.")
      .def("__repr__", [](const Record& record) {
        return printable("Record(" + record.name + " " + std::to_string(record.ttl) + " " +
                         record_type_name(record.type) + " " + record.text + ")");
      });

  py::class_<Query>(m, "Query", "One question on the wire, and what came back.")
      .def_readonly("name", &Query::name, "The name as asked, without the final dot.")
      .def_property_readonly(
          "type", [](const Query& query) { return to_string(query.type); }, "'A', 'AAAA' or 'SRV'.")
      .def_property_readonly(
          "server", [](const Query& query) { return to_string(query.server); }, "'ip:port'.")
      .def_property_readonly(
          "transport", [](const Query& query) { return to_string(query.transport); },
          "'udp' or 'tcp'.")
      .def_property_readonly(
          "status", [](const Query& query) { return to_string(query.status); },
          "How it ended: see Lookup.status; also 'truncated', when TCP is next.")
      .def_property_readonly(
          "reason", [](const Query& query) { return describe(query.status); },
          "The status in words.")
      .def_property_readonly(
          "truncated", [](const Query& query) { return query.status == DnsStatus::truncated; },
          "Whether the reply did not fit over UDP, so that the next query goes over TCP.")
      .def_property_readonly(
          "rcode",
          [](const Query& query) -> std::optional<std::string> {
            if (!query.rcode) return std::nullopt;
            return rcode_name(*query.rcode);
          },
          "The reply's code as dig prints it, 'NOERROR' or 'NXDOMAIN'; None without a reply.")
      .def_readonly("authoritative", &Query::authoritative, "The reply's AA flag.")
      .def_readonly("ttl", &Query::ttl,
                    "Seconds: the smallest of the reply's records; None without any.")
      .def_readonly("started_ns", &Query::started_ns,
                    "When it was sent: CLOCK_MONOTONIC, as time.monotonic_ns() reads it.")
      .def_readonly("round_trip_ns", &Query::round_trip_ns,
                    "Nanoseconds until the reply, or until it was given up.")
      .def_property_readonly(
          "reply", [](const Query& query) { return py::bytes(query.reply); },
          "The reply's bytes, as c-ares hands them over; empty without a reply.")
      .def_readonly("records", &Query::records, "The reply's answer section.")
      .def("__repr__", shown_by("query_text"));

  py::class_<Lookup>(m, "Lookup", "Everything between one name and its addresses.")
      .def_readonly("name", &Lookup::name, "The name as it was given.")
      .def_property_readonly(
          "status", [](const Lookup& lookup) { return to_string(lookup.status); },
          "'ok', 'no_data' (the name has no such record), 'nxdomain' (no such name), 'formerr', "
          "'servfail', 'notimp', 'refused', 'other_rcode', 'malformed', 'timeout', "
          "'unreachable', 'no_socket', 'bad_name' or 'cancelled'.")
      .def_property_readonly(
          "reason", [](const Lookup& lookup) { return describe(lookup.status); },
          "The status in words.")
      .def_property_readonly(
          "ok", [](const Lookup& lookup) { return lookup.status == DnsStatus::ok; },
          "Whether there is an answer.")
      .def_readonly("answer_name", &Lookup::answer_name,
                    "The name of the search list that has the records; empty without an answer.")
      .def_readonly("addresses", &Lookup::addresses,
                    "IPv4, then IPv6, each in the order of the answer.")
      .def_readonly("srv", &Lookup::srv, "The SRV records, in the order of the answer.")
      .def_readonly("txt", &Lookup::txt, "The TXT records, each with its strings joined.")
      .def_readonly("ttl", &Lookup::ttl,
                    "Seconds: the smallest of the answers'; None without an answer.")
      .def_readonly("queries", &Lookup::queries,
                    "Every question that it took, in the order in which they went out.")
      .def("__repr__", shown_by("lookup_text"))
      .def("_repr_html_", shown_by("lookup_html"));
}

}  // namespace

void bind_dns(py::module_& m) {
  using namespace py::literals;
  bind_facts(m);

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
