// A service config's JSON text, read (grpc/grpc doc/service_config.md; grpc-proto
// service_config.proto; gRFC A2, A6, A17).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lb/service_config.h"

namespace greetlab {

/// What there is to say about one place in a config.
struct Remark {
  /// Where, and what: "methodConfig[0].timeout is \"1\": a duration is a text such as \"1.5s\"".
  std::string sentence;
  /// What stock gRPC does with it, where that differs from what is done here, or between its
  /// languages; else empty.
  std::string stock;
};

/// "The sentence (stock gRPC: what it does)": one line, whatever stood in the config.
std::string to_string(const Remark& remark);

struct ReadServiceConfig {
  std::shared_ptr<const ServiceConfig> config;  ///< nullptr: there are errors.
  std::vector<Remark> errors;                   ///< All of them, and not only the first.
  std::vector<Remark> warnings;                 ///< It is taken, but hardly as it was meant.
  std::vector<Remark> elsewhere;                ///< All is well here; not in every language.
};

/// Reads a service config. Its policy is complete (lb/policies/registry.h), its `text` the same
/// JSON on one line, in ASCII.
///
/// The rules are gRPC's, by its documents where its languages differ; C-core's (1.85) where those
/// say nothing. Whatever the text is, this neither throws nor crashes.
ReadServiceConfig read_service_config(std::string_view text);

/// @throws std::invalid_argument with every error, if there are any.
/// @param warnings where those are added; nullptr: to nothing.
std::shared_ptr<const ServiceConfig> require_service_config(
    std::string_view text, std::vector<Remark>* warnings = nullptr);

}  // namespace greetlab
