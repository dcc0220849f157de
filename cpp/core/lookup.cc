#include "core/lookup.h"

#include <algorithm>
#include <array>

#include "core/misuse.h"

namespace greetlab {
namespace {

struct Words {
  std::string_view word, sentence;
};

/// In the order of DnsStatus.
constexpr std::array kWords = {
    Words{"ok", "answered"},
    Words{"no_data", "the name exists, but has no such record (NODATA)"},
    Words{"nxdomain", "no such name (NXDOMAIN)"},
    Words{"truncated", "the reply did not fit over UDP (TC), so TCP is next"},
    Words{"formerr", "the server did not understand the question (FORMERR)"},
    Words{"servfail", "the server failed to find out (SERVFAIL)"},
    Words{"notimp", "the server does not do that kind of question (NOTIMP)"},
    Words{"refused", "the server refuses to answer that (REFUSED)"},
    Words{"other_rcode", "the server answered with an unexpected code"},
    Words{"malformed", "the reply is no valid DNS message"},
    Words{"timeout", "no reply in time"},
    Words{"unreachable", "nobody listens there, or the connection broke"},
    Words{"no_socket", "no socket could be opened (Too many open files)"},
    Words{"bad_name", "not a valid DNS name"},
    Words{"cancelled", "the resolver was closed first"},
};
static_assert(kWords.size() == static_cast<std::size_t>(DnsStatus::cancelled) + 1);

const Words& words_for(DnsStatus status) {
  return kWords[static_cast<std::size_t>(status)];
}

}  // namespace

std::string_view to_string(RecordType type) {
  switch (type) {
    case RecordType::a: return "A";
    case RecordType::txt: return "TXT";
    case RecordType::aaaa: return "AAAA";
    case RecordType::srv: return "SRV";
  }
  return "?";
}

std::string_view to_string(DnsTransport transport) {
  return transport == DnsTransport::udp ? "udp" : "tcp";
}

std::string_view to_string(DnsStatus status) {
  return words_for(status).word;
}

std::string_view describe(DnsStatus status) {
  return words_for(status).sentence;
}

bool same_name(std::string_view left, std::string_view right) {
  constexpr auto lower = [](char c) {
    return 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  return left == right || std::ranges::equal(left, right, {}, lower, lower);
}

RecordType parse_record_type(std::string_view text) {
  for (const RecordType type :
       {RecordType::a, RecordType::aaaa, RecordType::srv, RecordType::txt}) {
    if (same_name(text, to_string(type))) return type;
  }
  misuse({"record type '", text, "' is not one that can be looked up: use A, AAAA, SRV or TXT"});
}

}  // namespace greetlab
