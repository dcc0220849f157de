#include "core/duration.h"

#include <array>
#include <utility>

#include "core/misuse.h"
#include "core/number.h"

namespace greetlab {

namespace {

constexpr std::array<std::pair<std::string_view, double>, 6> kUnits{
    {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};

}  // namespace

std::chrono::nanoseconds parse_duration(std::string_view text) {
  static constexpr double kMost = 9e18;  // what 63 bits of nanoseconds hold

  double number = 0;
  const auto [end, error] = read_number(text, number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc{} && number >= 0) {
    if (number == 0 && unit.empty()) return std::chrono::nanoseconds(0);
    for (const auto& [name, nanoseconds] : kUnits) {
      if (unit == name && number * nanoseconds < kMost) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(number * nanoseconds));
      }
    }
  }
  misuse(
      {"duration '", text, "': expected a number and a unit, such as 250us, 20ms, 1.5s, 5m, 1h"});
}

std::string to_text(std::chrono::nanoseconds duration) {
  const auto* unit = &kUnits.front();
  for (const auto& larger : kUnits) {
    if (duration.count() % static_cast<std::int64_t>(larger.second) == 0) unit = &larger;
  }
  return std::to_string(duration.count() / static_cast<std::int64_t>(unit->second)) +
         std::string(unit->first);
}

}  // namespace greetlab
