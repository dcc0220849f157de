// What the proxy's process is told on its standard input.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/address.h"

namespace greetlab {

/// "a:p,b:p", or nothing at all.
///
/// @throws std::invalid_argument naming what is no address.
std::vector<Address> parse_endpoints(const std::string& text);

/// One line: "endpoints a:p,b:p".
///
/// @return the endpoints; nothing for an empty line.
/// @throws std::invalid_argument saying what is wrong.
std::optional<std::vector<Address>> parse_command(const std::string& line);

}  // namespace greetlab
