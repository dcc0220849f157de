// What a server says of how a call ended.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "core/printable.h"

namespace greetlab {

/// A status' message. On the wire it is percent-encoded bytes, which need be no UTF-8; JSON and
/// Python have no others.
inline std::string said(const grpc::Status& status) {
  return utf8(status.error_message());
}

}  // namespace greetlab
