// Any command line of greet-server, an argument a line: taken, or refused in words.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "greet/flags.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<std::string> arguments;
  for (std::string line; std::getline(lines, line);) arguments.push_back(line);
  std::ranges::reverse(arguments);  // as CLI11 takes them
  greetlab::GreetServerFlags flags;
  CLI::App app;
  greetlab::declare(app, flags);
  try {
    app.parse(arguments);
    CHECK(flags.server.error_rate >= 0 && flags.server.error_rate <= 1);
    CHECK(flags.grace.count() >= 0);
    CHECK(flags.server.serving.service_time.mean().count() >= 0);
  } catch (const CLI::ParseError& error) {
    CHECK(*error.what() != '\0' || error.get_exit_code() == 0);
  }
  return 0;
}
