// How a call is asked for (grpc/grpc doc/PROTOCOL-HTTP2.md, "Requests").
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/time.h"

namespace greetlab {

/// Before each message: whether it is compressed, and its length.
inline constexpr std::size_t kMessagePrefix = 5;

/// A message with its prefix of five bytes: not compressed, and so long.
/// @param message less than 4 GiB.
std::string length_prefixed(std::string_view message);

/// A grpc-timeout: "5S", "250m". At most 8 digits, as the specification has it; rounded up to three
/// significant ones, as gRPC does, for then the next call's is the same and HPACK has it in its
/// table.
std::string timeout_text(Duration timeout);

}  // namespace greetlab
