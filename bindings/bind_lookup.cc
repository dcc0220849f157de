// The facts that a lookup leaves behind, whoever did it.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "bindings.h"
#include "core/lookup.h"
#include "core/printable.h"
#include "dns/reply_names.h"

namespace py = pybind11;

namespace greetlab {
namespace {

/// How a fact looks is Python's to say: `greetlab.dns.lookup.<function>(fact)`.
auto shown_by(const char* function) {
  return [function](const py::object& fact) {
    return py::module_::import("greetlab.dns.lookup").attr(function)(fact).cast<py::str>();
  };
}

}  // namespace

void bind_lookup(py::module_& m) {
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

}  // namespace greetlab
