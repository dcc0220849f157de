// What a channel is told of a service (lb/service_config.h), as words.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lb/service_config.h"

namespace greetlab {

/// A field of a service config that has a word, by the name that gRPC's JSON has for it.
struct ConfigWord {
  std::string_view name;  ///< "retryPolicy.maxAttempts"; of a methodConfig's, without that.
  std::string_view type;  ///< "number", "duration", "truth", "text" or "codes": "UNAVAILABLE,...".
  bool needed;            ///< Where another word of its object is said.
  std::string_view help;
};

/// All of them.
std::span<const ConfigWord> config_words();

bool is_config_word(std::string_view name);

/// Of timeout=1s, retryPolicy.maxAttempts=3, retryPolicy.retryableStatusCodes=UNAVAILABLE: one
/// methodConfig, which holds for all methods or for those of name=greet.GreetService/Greet, and
/// what stands beside it. Its `text` is the JSON that says the same, in the order of the words.
/// @param named other words than these are left alone. Without any: nullptr.
/// @throws std::invalid_argument for a value that there is not, or a word that is missing; gRPC's
///         rules (gRFC A6).
std::shared_ptr<const ServiceConfig> config_from(
    const std::vector<std::pair<std::string, std::string>>& named);

}  // namespace greetlab
