#include "trace/digest.h"

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

#include "trace/fact_text.h"

namespace greetlab {
namespace {

constexpr std::uint64_t kPrime = 0x100000001b3u;  // FNV-1a's

constexpr std::uint64_t mixed(std::uint64_t sum, std::uint64_t value) {
  sum = (sum ^ value) * kPrime;
  return sum ^ (sum >> 32);
}

constexpr std::uint64_t hash(std::string_view word) {
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const char letter : word) sum = (sum ^ static_cast<unsigned char>(letter)) * kPrime;
  return sum;
}

}  // namespace

std::string digest(std::span<const Event> events, const Symbols& symbols) {
  std::vector<std::uint64_t> words(symbols.size());
  for (std::uint32_t i = 0; i < words.size(); ++i) {
    words[i] = hash(symbols.word(static_cast<Symbol>(i)));
  }
  std::uint64_t sum = mixed(0, events.size());
  const auto add = [&]<class Value>(Value value) {
    if constexpr (std::is_same_v<Value, Symbol>) {
      sum = mixed(sum, words[static_cast<std::size_t>(value)]);
    } else if constexpr (std::is_same_v<Value, std::string_view>) {
      sum = mixed(sum, hash(value));
    } else {
      sum = mixed(sum, static_cast<std::uint64_t>(value));
    }
  };
  for (const Event& event : events) {
    add(plain(event.at));
    add(plain(event.cause));
    add(event.who);
    add(plain(event.certainty));
    add(fact_name(event.fact));
    for_each_field(event.fact, [&](std::string_view, const auto& value) { add(value); });
  }
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(sum >> shift) & 15];
  return digits;
}

}  // namespace greetlab
