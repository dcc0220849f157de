// How a client is to use a service: the unit of gRPC's configuration
// (grpc/grpc doc/service_config.md; grpc-proto service_config.proto).
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "core/time.h"
#include "lb/policy.h"

namespace greetlab {

/// A set of status codes.
using Codes = std::bitset<kCodeNames.size()>;

/// gRFC A6: a call that failed is tried again.
struct RetryPolicy {
  /// More is taken as 5 (A6, "maxAttempts").
  static constexpr std::uint32_t kMostAttempts = 5;

  std::uint32_t max_attempts = 2;  ///< The first one counts.
  Duration initial_backoff{};
  Duration max_backoff{};
  double backoff_multiplier = 1;
  Codes retryable;
};

/// gRFC A6: more attempts are sent before the one before them has failed. In Java, .NET and Node;
/// neither C-core nor Go have it.
struct HedgingPolicy {
  std::uint32_t max_attempts = 2;
  Duration delay{};  ///< From one to the next; 0: all at once.
  Codes non_fatal;   ///< After which the others go on; any other code ends the call.
};

/// gRFC A6: tokens, shared by all calls of a channel. A failure takes one, a success gives
/// `ratio` back; at half of them or less nothing is tried again.
struct RetryThrottling {
  std::uint32_t max_milli_tokens = 0;  ///< In thousandths, as gRPC counts: 3 digits of the ratio.
  std::uint32_t milli_ratio = 0;
};

/// What holds for some methods.
struct MethodConfig {
  /// Of which; a method that is empty: all of the service; both are: all there are.
  struct Name {
    std::string service;
    std::string method;
  };

  std::vector<Name> names;
  std::optional<Duration> timeout = {};     ///< The shorter one counts, of this and the call's own.
  std::optional<bool> wait_for_ready = {};  ///< Where the call itself does not ask for it.
  std::optional<RetryPolicy> retry = {};
  std::optional<HedgingPolicy> hedging = {};
  std::optional<std::uint32_t> max_request_bytes = {};
  std::optional<std::uint32_t> max_response_bytes = {};
};

struct ServiceConfig {
  std::optional<PolicyConfig> policy = {};  ///< None: the channel's own.
  std::vector<MethodConfig> methods = {};
  std::optional<RetryThrottling> throttling = {};
  std::optional<std::string> health_service = {};  ///< `healthCheckConfig.serviceName` (gRFC A17).
  std::string text = {};  ///< As it came, on one line: for the trace. Empty: made by hand.

  /// What holds for "/greet.GreetService/Greet": of its method before that of its service, and that
  /// before the one for all. nullptr: nothing does.
  const MethodConfig* method(std::string_view path) const;
};

}  // namespace greetlab
