// How a call ended, in gRPC's own terms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greetlab {

/// gRPC's status codes (grpc/grpc doc/statuscodes.md): those that the core itself can give.
enum class Code : std::uint8_t {
  ok = 0,
  cancelled = 1,
  deadline_exceeded = 4,
  unavailable = 14,
};

/// "OK", "UNAVAILABLE": as gRPC writes them.
constexpr std::string_view to_string(Code code) {
  switch (code) {
    case Code::ok: return "OK";
    case Code::cancelled: return "CANCELLED";
    case Code::deadline_exceeded: return "DEADLINE_EXCEEDED";
    case Code::unavailable: return "UNAVAILABLE";
  }
  return "UNKNOWN";
}

/// A network failure is data, never an exception.
struct Status {
  Code code = Code::ok;
  std::string message;

  bool ok() const { return code == Code::ok; }
};

}  // namespace greetlab
