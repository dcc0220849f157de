#include "wasm/values.h"

#include <charconv>
#include <system_error>

#include "core/misuse.h"

namespace greetlab {

std::uint64_t whole_number(std::string_view text, std::int64_t least, std::uint64_t most) {
  const char* const end = text.data() + text.size();
  std::int64_t below = 0;
  std::uint64_t number = 0;
  const bool negative = least < 0 && text.starts_with('-');
  const auto [stopped, error] = negative ? std::from_chars(text.data(), end, below)
                                         : std::from_chars(text.data(), end, number);
  const bool within = negative ? below >= least : number <= most;
  if (error == std::errc{} && stopped == end && within) {
    return negative ? static_cast<std::uint64_t>(below) : number;
  }
  misuse({"'", text, "': a whole number, ", std::to_string(least), " to ", std::to_string(most)});
}

void set_option(const std::vector<AnyOption>& options, std::string_view name, std::string_view text,
                bool (*there)(std::string_view)) {
  std::string names;
  for (const AnyOption& one : options) {
    if (!there(one.name)) continue;
    if (one.name == name) {
      try {
        return one.type->set(one.value, text);
      } catch (const std::invalid_argument& error) {
        misuse({name, ": ", printable(error.what())});
      }
    }
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  }
  misuse({"no option '", printable(name), "': there is ", names});
}

}  // namespace greetlab
