#include "wasm/script.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "core/duration.h"
#include "core/misuse.h"
#include "core/printable.h"

namespace greetlab {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";
/// Besides letters and digits: what a fragment may have (RFC 3986 3.5) and no rule of ours needs.
constexpr std::string_view kPlain = "-._~:,/";
constexpr std::size_t kShown = 60;

[[noreturn]] void refuse(std::string_view what, std::string_view text, const std::string& why) {
  const bool cut = text.size() > kShown;
  misuse({what, " '", printable(text.substr(0, kShown)), (cut ? "...': " : "': "), why});
}

bool plain(char letter) {
  const bool word = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
                    (letter >= 'A' && letter <= 'Z');
  return word || kPlain.find(letter) != std::string_view::npos;
}

std::string encoded(std::string_view word) {
  std::string text;
  for (const char letter : word) {
    if (plain(letter)) {
      text += letter;
      continue;
    }
    const auto byte = static_cast<unsigned char>(letter);
    text += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return text;
}

int hex(char digit) {
  if (digit >= 'a' && digit <= 'f') digit = static_cast<char>(digit - 'a' + 'A');
  const std::size_t at = kHex.find(digit);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::string decoded(std::string_view text) {
  std::string word;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      word += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
    if (high < 0 || low < 0) refuse("word", text, "after a % come two digits of 0 to 9 and A to F");
    word += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return word;
}

// Calls `f` with each part between `mark`s; at least once.
template <class F>
void split(std::string_view text, char mark, F&& f) {
  for (std::size_t from = 0;;) {
    const std::size_t to = std::min(text.find(mark, from), text.size());
    f(text.substr(from, to - from));
    if (to == text.size()) return;
    from = to + 1;
  }
}

// Doubles, in which parse_duration counts, have each nanosecond of 104 days.
Time moment(std::string_view word) {
  try {
    const Duration since = parse_duration(word);
    constexpr auto kMost = std::chrono::hours(24 * 100);
    if (since <= kMost) return Time(since);
  } catch (const std::invalid_argument&) {
  }
  refuse("time", word, "a number and its unit, such as 1500ms or 5s; 100 days at the most");
}

}  // namespace

Statement read_statement(std::string_view text) {
  Statement statement;
  bool first = true;
  split(text, '+', [&](std::string_view word) {
    const std::size_t equals = word.find('=');
    if (std::exchange(first, false)) {
      statement.verb = decoded(word);
      if (statement.verb.empty()) refuse("command", text, "it begins with a verb, such as kill");
    } else if (equals == std::string_view::npos) {
      statement.given.push_back(decoded(word));
    } else {
      statement.named.emplace_back(decoded(word.substr(0, equals)),
                                   decoded(word.substr(equals + 1)));
    }
  });
  return statement;
}

Script read_script(std::string_view link) {
  if (const std::size_t hash = link.find('#'); hash != std::string_view::npos) {
    link.remove_prefix(hash + 1);
  }
  if (link.size() > Script::kLongest) {
    misuse({"this link is ", std::to_string(link.size()),
            " letters long, and one of a world has at most ", std::to_string(Script::kLongest)});
  }
  Script script;
  bool first = true;
  split(link, ';', [&](std::string_view text) {
    if (std::exchange(first, false)) {
      const Statement world = read_statement(text.empty() ? "?" : text);
      const std::string& version = world.verb;
      const bool ours = version.size() > 1 && version[0] == 'v' &&
                        version.find_first_not_of("0123456789", 1) == std::string::npos;
      if (!ours) refuse("link", link, "one of a world begins with v1, such as v1+pods=3+seed=7");
      if (version != Script::kVersion) {
        refuse("link", link,
               "it is of version " + version + ", and this greetlab reads " +
                   std::string(Script::kVersion) + "; a newer one may read it");
      }
      if (!world.given.empty()) {
        refuse("world", text, "'" + printable(world.given[0]) + "' has no value; pods=3 has one");
      }
      script.world = world.named;
      return;
    }
    const bool at_once = !(text.starts_with('@') || text.starts_with("%40"));
    if (!at_once) {
      text.remove_prefix(text.starts_with('@') ? 1 : 3);
      const std::size_t end = std::min(text.find('+'), text.size());
      const Time at = moment(text.substr(0, end));
      if (at < script.end) {
        refuse("time", text.substr(0, end),
               "the command before it is at " + to_text(script.end.time_since_epoch()) +
                   ", and time does not run backwards");
      }
      script.end = at;
      if (end == text.size()) return;
      text.remove_prefix(end + 1);
    }
    script.commands.push_back({script.end, at_once, read_statement(text)});
  });
  return script;
}

std::string to_text(const Statement& statement) {
  std::string text = encoded(statement.verb);
  for (const std::string& word : statement.given) text += "+" + encoded(word);
  for (const auto& [name, value] : statement.named) {
    text += "+" + encoded(name) + "=" + encoded(value);
  }
  return text;
}

std::string to_text(const Script& script) {
  std::string text = to_text(Statement{std::string(Script::kVersion), {}, script.world});
  Time last{};
  const auto moment = [&](Time at) { (text += ";@") += to_text(at.time_since_epoch()); };
  for (const auto& [at, at_once, statement] : script.commands) {
    if (!at_once) moment(at);
    (text += at_once ? ';' : '+') += to_text(statement);
    last = at;
  }
  if (script.end > last) moment(script.end);
  return text;
}

}  // namespace greetlab
