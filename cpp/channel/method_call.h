// A call of any method: bytes there, bytes back.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/metadata.h"
#include "core/status.h"
#include "core/time.h"

namespace greetlab {

struct MethodRequest {
  std::string path;     ///< "/grpc.health.v1.Health/Check"
  std::string message;  ///< As protobuf, or whatever the method takes.
  Metadata metadata;
  Duration timeout = std::chrono::seconds(5);
  /// Waits for a connection where others fail.
  bool wait_for_ready = false;
  /// The method answers with any number of messages; if not, with one.
  bool stream = false;
  /// Once so many messages have come the call is given up, and ends with CANCELLED; 0: never. A
  /// stream that does not end by itself would be kept until its timeout.
  std::size_t most = 0;
};

struct MethodAnswer {
  Status status;
  std::vector<std::string> messages;
  Metadata headers;   ///< What the server said before its first message,
  Metadata trailers;  ///< and at the end. All of it where it said nothing else.
};

/// The same request, if it can be sent.
///
/// @throws std::invalid_argument for a path or metadata that are none.
MethodRequest sendable(MethodRequest request);

}  // namespace greetlab
