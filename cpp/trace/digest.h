// Whether two traces are the same, in 64 bits.
#pragma once

#include <span>
#include <string>

#include "trace/trace.h"

namespace greetlab {

/// 16 hexadecimal digits, the same for the same events: of all their fields, with words as their
/// letters, so that it does not matter on what machine, nor in what order words became symbols. For
/// tests and comparisons; whoever wants two traces of one digest can make them.
std::string digest(std::span<const Event> events, const Symbols& symbols);

}  // namespace greetlab
