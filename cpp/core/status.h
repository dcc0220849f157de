// How a call ended, in gRPC's own terms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greetlab {

/// gRPC's status codes (grpc/grpc doc/statuscodes.md). The core itself gives few of them; a server
/// may give any.
enum class Code : std::uint8_t {
  ok,
  cancelled,
  unknown,
  invalid_argument,
  deadline_exceeded,
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,
  failed_precondition,
  aborted,
  out_of_range,
  unimplemented,
  internal,
  unavailable,
  data_loss,
  unauthenticated,
};

inline constexpr std::array<std::string_view, 17> kCodeNames{
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

/// "OK", "UNAVAILABLE": as gRPC writes them.
constexpr std::string_view to_string(Code code) {
  return kCodeNames[static_cast<std::size_t>(code)];
}

/// The code of a number off the wire. One that there is not is UNKNOWN, as gRPC has it.
constexpr Code code_of(int number) {
  return number >= 0 && static_cast<std::size_t>(number) < kCodeNames.size()
             ? static_cast<Code>(number)
             : Code::unknown;
}

/// "UNAVAILABLE", as gRPC writes it; nothing for a name that is none.
constexpr std::optional<Code> code_named(std::string_view name) {
  for (std::size_t i = 0; i < kCodeNames.size(); ++i) {
    if (kCodeNames[i] == name) return static_cast<Code>(i);
  }
  return std::nullopt;
}

/// A network failure is data, never an exception.
struct Status {
  Code code = Code::ok;
  std::string message;

  bool ok() const { return code == Code::ok; }
};

}  // namespace greetlab
