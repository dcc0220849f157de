// A service config as DNS has it: a TXT record of "_grpc_config." and the name (gRFC A2).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/service_config.h"
#include "core/status.h"

namespace greetlab {

/// Who reads it: A2's choices are for some clients and not for others.
struct ConfigReader {
  std::string hostname;
  std::uint32_t percentile = 0;  ///< 0 to 99, drawn once a lookup, as C-core does.
};

/// "c++", as the client calls itself to `clientLanguage`: the lab is one.
inline constexpr std::string_view kClientLanguage = "c++";

struct TxtConfig {
  std::shared_ptr<const ServiceConfig> config;  ///< nullptr: there is none for this client.
  Status status;                                ///< Why it is none, where it makes no sense.
};

/// The first choice that fits, of the first record that begins with "grpc_config=".
/// @param records each with its strings joined, as TXT records are read (RFC 1464).
TxtConfig choose_config(const std::vector<std::string>& records, const ConfigReader& reader);

/// The one record that makes every client take `config`.
std::string to_txt(const ServiceConfig& config);

}  // namespace greetlab
