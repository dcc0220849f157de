#include "dns/lookup.h"

#include <stdexcept>

namespace greetlab {

std::string_view to_string(RecordType type) {
  switch (type) {
    case RecordType::a: return "A";
    case RecordType::aaaa: return "AAAA";
    case RecordType::srv: return "SRV";
  }
  return "?";
}

std::string_view to_string(DnsTransport transport) {
  return transport == DnsTransport::udp ? "udp" : "tcp";
}

std::string_view to_string(DnsStatus status) {
  switch (status) {
    case DnsStatus::ok: return "ok";
    case DnsStatus::no_data: return "no_data";
    case DnsStatus::nxdomain: return "nxdomain";
    case DnsStatus::truncated: return "truncated";
    case DnsStatus::formerr: return "formerr";
    case DnsStatus::servfail: return "servfail";
    case DnsStatus::notimp: return "notimp";
    case DnsStatus::refused: return "refused";
    case DnsStatus::other_rcode: return "other_rcode";
    case DnsStatus::malformed: return "malformed";
    case DnsStatus::timeout: return "timeout";
    case DnsStatus::unreachable: return "unreachable";
    case DnsStatus::bad_name: return "bad_name";
    case DnsStatus::cancelled: return "cancelled";
  }
  return "?";
}

std::string_view describe(DnsStatus status) {
  switch (status) {
    case DnsStatus::ok: return "answered";
    case DnsStatus::no_data: return "the name exists, but has no such record (NODATA)";
    case DnsStatus::nxdomain: return "no such name (NXDOMAIN)";
    case DnsStatus::truncated: return "the reply did not fit over UDP (TC), so TCP is next";
    case DnsStatus::formerr: return "the server did not understand the question (FORMERR)";
    case DnsStatus::servfail: return "the server failed to find out (SERVFAIL)";
    case DnsStatus::notimp: return "the server does not do that kind of question (NOTIMP)";
    case DnsStatus::refused: return "the server refuses to answer that (REFUSED)";
    case DnsStatus::other_rcode: return "the server answered with an unexpected code";
    case DnsStatus::malformed: return "the reply is no valid DNS message";
    case DnsStatus::timeout: return "no reply in time";
    case DnsStatus::unreachable: return "nobody listens there, or the connection broke";
    case DnsStatus::bad_name: return "not a valid DNS name";
    case DnsStatus::cancelled: return "the resolver was closed first";
  }
  return "?";
}

RecordType parse_record_type(std::string_view text) {
  for (const RecordType type : {RecordType::a, RecordType::aaaa, RecordType::srv}) {
    if (same_name(text, to_string(type))) return type;
  }
  throw std::invalid_argument("record type '" + std::string(text) +
                              "' is not one that can be looked up: use A, AAAA or SRV");
}

}  // namespace greetlab
