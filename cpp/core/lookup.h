// What a lookup leaves behind: every question that went over the wire, and what came of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"

namespace greetlab {

/// Where a service is (RFC 2782).
struct SrvRecord {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;
};

/// One resource record (RFC 1035 4.1.3). Names are absolute, without the final dot.
struct Record {
  std::string name;
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;  ///< Seconds.

  /// The data as a zone file has it: the address of an A or AAAA, the target of a CNAME,
  /// "priority weight port target" of an SRV, the strings of a TXT joined (RFC 7208 3.3; bytes that
  /// are no UTF-8 as their escapes), and of any other type `\# length hex` (RFC 3597 5).
  std::string text;
  std::optional<SrvRecord> srv;  ///< Of an SRV only.
};

/// What a resolver can be asked for. The values are DNS's own (RFC 1035 3.2.2, 3596, 2782).
enum class RecordType : std::uint16_t { a = 1, txt = 16, aaaa = 28, srv = 33 };

enum class DnsTransport { udp, tcp };

/// How a question ended, and how a lookup ended.
enum class DnsStatus {
  ok,           ///< There are records of the type asked for.
  no_data,      ///< The name exists, but has no record of that type.
  nxdomain,     ///< There is no such name.
  truncated,    ///< The reply did not fit over UDP (TC): the question goes out again over TCP.
  formerr,      ///< The server did not understand the question.
  servfail,     ///< The server failed to find out.
  notimp,       ///< The server does not do that kind of question.
  refused,      ///< The server does not answer us, or not about that name.
  other_rcode,  ///< The server answered with a code that a lookup has no use for.
  malformed,    ///< The reply is no DNS message.
  timeout,      ///< No reply in time.
  unreachable,  ///< Nobody listens there, or the connection broke.
  no_socket,    ///< This process has no descriptor left to ask with.
  bad_name,   ///< That cannot be a DNS name (RFC 1035 2.3.4: labels of 1 to 63 bytes, 255 in all).
  cancelled,  ///< The resolver was closed first.
};

/// "A", "udp", "nxdomain": the word for a table.
std::string_view to_string(RecordType type);
std::string_view to_string(DnsTransport transport);
std::string_view to_string(DnsStatus status);

/// "no such name (NXDOMAIN)": the words for a person.
std::string_view describe(DnsStatus status);

/// "a", "AAAA": the type that `to_string` gives that word, in any case.
///
/// @throws std::invalid_argument for any other text.
RecordType parse_record_type(std::string_view text);

/// Names are compared without regard to the case of ASCII letters (RFC 1035 2.3.3).
bool same_name(std::string_view left, std::string_view right);

/// One question on the wire, and what came back.
struct Query {
  std::string name;  ///< As asked: absolute, without the final dot.
  RecordType type{};
  Address server;
  DnsTransport transport{};

  DnsStatus status{};
  std::optional<std::uint8_t> rcode;  ///< As the reply has it; none without a readable reply.
  bool authoritative = false;         ///< The reply's AA flag.
  std::optional<std::uint32_t> ttl;   ///< Seconds: the smallest of the records; none without any.

  std::int64_t started_ns = 0;     ///< CLOCK_MONOTONIC
  std::int64_t round_trip_ns = 0;  ///< Until the reply, or until it was given up.

  std::string reply;            ///< The reply, byte for byte as c-ares hands it over.
  std::vector<Record> records;  ///< The reply's answer section.
};

/// Everything between one name and its addresses.
struct Lookup {
  std::string name;            ///< As the caller gave it.
  std::vector<Query> queries;  ///< In the order in which they went out.
  DnsStatus status{};

  std::string answer_name;             ///< The name of the search list that has the records.
  std::vector<std::string> addresses;  ///< A, then AAAA, each in the order of the answer.
  std::vector<SrvRecord> srv;          ///< In the order of the answer.
  std::vector<std::string> txt;      ///< Each record's strings joined, in the order of the answer.
  std::optional<std::uint32_t> ttl;  ///< Seconds: the smallest of the queries that answered.
};

}  // namespace greetlab
