// A virtual world as a text that may stand in a URL: what it was made of, and what was done to it
// and when.
//
//   v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin;load+client-1+calls=60;
//   @5s+kill+pod-2;@30s
//
// Statements stand between semicolons, their words between pluses. The first one is the world: the
// version, and SimConfig's options by their names. "@5s" before a command: when it is 5 s since the
// world began, and all else of that moment has happened. One without it is followed at once after
// the one before, with nothing in between. A moment alone is how far time had come. Whatever else a
// word has in it is percent-encoded (RFC 3986 2.1).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"

namespace greetlab {

/// "kill+pod-2", "load+client-1+calls=60".
struct Statement {
  std::string verb;
  std::vector<std::string> given;                          ///< Words by their place,
  std::vector<std::pair<std::string, std::string>> named;  ///< and by their name.

  bool operator==(const Statement&) const = default;
};

struct Command {
  Time at;
  bool at_once;  ///< After the one before it, or after the world was made.
  Statement statement;

  bool operator==(const Command&) const = default;
};

struct Script {
  static constexpr std::string_view kVersion = "v1";
  /// A browser takes about as much in an address.
  static constexpr std::size_t kLongest = 256 * 1024;

  std::vector<std::pair<std::string, std::string>> world;
  std::vector<Command> commands;  ///< In the order of their times.
  Time end{};                     ///< Not before the last of them.

  bool operator==(const Script&) const = default;
};

/// @throws std::invalid_argument for what is no statement.
Statement read_statement(std::string_view text);

/// @param link a script's text, or a whole URL: what stands after its first "#".
/// @throws std::invalid_argument, with what is wrong and where.
Script read_script(std::string_view link);

/// The same backwards, without "#".
std::string to_text(const Script& script);
std::string to_text(const Statement& statement);

}  // namespace greetlab
