// What the engine has to say about itself, so that no other language repeats it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "wasm/scripted_world.h"

namespace greetlab {

/// The world's own figures, a table of one row.
struct WorldNow {
  Time now;
  Time next;  ///< kNever: nothing ever will happen.
  Time end;   ///< How far its script goes.
  std::uint64_t steps;
  std::uint64_t dropped;  ///< Events that came when the trace was full.
  std::uint64_t queries;  ///< DNS questions answered, ever.
  std::uint64_t connections;
};

/// A table in memory: `rows` of `stride` bytes.
struct Table {
  const void* data;
  std::size_t rows;
};

/// The tables of a world now: "world", "events", "pods", "clients", and those of the replay. In the
/// order in which `about` has them.
/// @throws std::invalid_argument for one that there is not.
Table table(ScriptedWorld& world, std::size_t index);

/// JSON: the layout of each table (its stride in bytes, and of each column its type, its offset and
/// what its numbers stand for), the kinds of facts and where their fields are in an event, the
/// words of enums, the commands and their options with defaults and help, the policies and their
/// fields.
std::string about();

}  // namespace greetlab
