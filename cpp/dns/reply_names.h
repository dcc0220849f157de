// The numbers of a reply, by their names. A header only: who reads what a lookup left behind needs
// no resolver for it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace greetlab {

/// "NOERROR", "NXDOMAIN", "RCODE12" (RFC 6895 2.3).
inline std::string rcode_name(std::uint8_t rcode) {
  constexpr std::array kNames = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                 "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
  return rcode < kNames.size() ? kNames[rcode] : "RCODE" + std::to_string(rcode);
}

/// "A", "CNAME", "TYPE64" (RFC 3597 5).
inline std::string record_type_name(std::uint16_t type) {
  switch (type) {
    case 1: return "A";
    case 5: return "CNAME";
    case 16: return "TXT";
    case 28: return "AAAA";
    case 33: return "SRV";
    default: return "TYPE" + std::to_string(type);
  }
}

}  // namespace greetlab
