// Bytes as text (RFC 4648 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace greetlab {

/// Without padding, as gRPC asks of who sends metadata (PROTOCOL-HTTP2.md, "Binary-Header").
std::string base64(std::string_view bytes);

/// Padded or not. @return nothing for what is no base64.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace greetlab
