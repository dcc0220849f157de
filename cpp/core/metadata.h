// What a call says beside its messages.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace greetlab {

/// gRPC's metadata: names, which may come more than once, and values. A value is bytes where the
/// name ends with "-bin", else printable ASCII (PROTOCOL-HTTP2.md, "Custom-Metadata").
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// The same, if it can be sent: a name is in lower case, as HTTP/2's are (RFC 9113 8.2.1), and none
/// of gRPC's own.
/// @throws std::invalid_argument saying which is none, and why.
Metadata sendable(Metadata metadata);

/// As it goes over the wire: bytes in base64.
Metadata on_the_wire(Metadata metadata);

}  // namespace greetlab
