#include "trace/teller.h"

#include <array>
#include <cctype>
#include <cstdio>

namespace greetlab {

std::string Teller::milliseconds(Duration duration) {
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%.2f ms", static_cast<double>(duration.count()) / 1e6);
  return text.data();
}

std::string Teller::upper(std::string word) {
  for (char& letter : word) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return word;
}

std::string Teller::counted(std::uint32_t count, std::string_view noun) {
  std::string text = std::to_string(count) + ' ' + std::string(noun);
  if (count != 1) text += noun.ends_with('s') ? "es" : "s";
  return text;
}

std::string Teller::list(Symbol addresses, std::string_view nobody) const {
  const std::string& joined = word(addresses);
  if (joined.empty()) return std::string(nobody);
  std::string text;
  for (const char letter : joined) {
    text += letter;
    if (letter == ',') text += ' ';
  }
  return text;
}

std::string Teller::reason(Symbol why) const {
  return why == Symbol::none ? std::string() : say(": ", why);
}

}  // namespace greetlab
