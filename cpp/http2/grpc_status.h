// What the words of HTTP/2 mean as a status of gRPC's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace greetlab {

/// Of an answer without a grpc-status (grpc/grpc doc/http-grpc-status-mapping.md): who answered was
/// no gRPC server, most likely a proxy.
/// @param status 100 to 999; 0 if there was none.
Code code_of_http(int status);

/// Of a stream that was reset (RFC 9113 7; PROTOCOL-HTTP2.md, "Errors"). `INTERNAL` for a code that
/// there is not.
Code code_of_reset(std::uint32_t error);

/// "CANCEL": as RFC 9113 7 writes it.
std::string_view reset_name(std::uint32_t error);

/// A grpc-message as it was meant: %20 is a space. What is not well encoded stays as it is, as the
/// specification asks.
std::string percent_decoded(std::string_view text);

}  // namespace greetlab
