#include "wasm/config_words.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/misuse.h"
#include "core/printable.h"
#include "wasm/policy_words.h"
#include "wasm/values.h"

namespace greetlab {
namespace {

using Word = std::pair<std::string, std::string>;
using Words = std::vector<Word>;

constexpr std::string_view kMethods = "methodConfig";
constexpr std::string_view kName = "name";
constexpr double kMillion = 1'000'000;

constexpr std::array kWords{
    ConfigWord{kName, "text", false,
               "the methods that the config holds for, with commas: greet.GreetService/Greet, or a "
               "service; without it: all"},
    ConfigWord{"timeout", "duration", false, "how long a call may take, where it may take longer"},
    ConfigWord{"waitForReady", "truth", false, "wait for a connection where others fail"},
    ConfigWord{"retryPolicy.maxAttempts", "number", true,
               "how often a call is tried, the first time included: 2 to 5 (gRFC A6)"},
    ConfigWord{"retryPolicy.initialBackoff", "duration", true,
               "the longest wait before the second attempt; how long is random"},
    ConfigWord{"retryPolicy.maxBackoff", "duration", true, "the longest wait before any attempt"},
    ConfigWord{"retryPolicy.backoffMultiplier", "number", true,
               "by how much the longest wait grows each time"},
    ConfigWord{"retryPolicy.retryableStatusCodes", "codes", true,
               "how an attempt must have failed to be followed by another one"},
    ConfigWord{"hedgingPolicy.maxAttempts", "number", true, "how many are sent: 2 to 5 (gRFC A6)"},
    ConfigWord{"hedgingPolicy.hedgingDelay", "duration", false,
               "from one attempt to the next; without it: all at once"},
    ConfigWord{"hedgingPolicy.nonFatalStatusCodes", "codes", false,
               "after which the other attempts go on; any other failure ends the call"},
    ConfigWord{"retryThrottling.maxTokens", "number", true,
               "a failure takes one; at half of them or less nothing is tried again: 1 to 1000"},
    ConfigWord{"retryThrottling.tokenRatio", "number", true,
               "what a success gives back, in thousandths: 0.1"},
    ConfigWord{"healthCheckConfig.serviceName", "text", true,
               "whose health each connection is asked for (gRFC A17); empty: the server's"},
};

/// Or of what stands beside them: the channel's tokens, and whose health.
bool is_of_methods(std::string_view name) {
  return !name.starts_with("retryThrottling.") && !name.starts_with("healthCheckConfig.");
}

std::string in_quotes(std::string_view text) {
  const bool plain = std::ranges::all_of(
      text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (!plain) misuse({"'", text, "': letters of ASCII"});
  return '"' + std::string(text) + '"';
}

/// JSON of each part between commas, in brackets.
template <class F>
std::string listed(std::string_view text, F&& json_of) {
  std::string list = "[";
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    if (from > 0) list += ',';
    list += json_of(text.substr(from, to - from));
    from = to + 1;
  }
  return list + ']';
}

std::uint32_t whole(std::string_view text, std::uint32_t least, std::uint32_t most) {
  const auto number = value_from<std::uint32_t>(text);
  if (number >= least && number <= most) return number;
  misuse({"'", text, "': a whole number, ", std::to_string(least), " to ", std::to_string(most)});
}

/// Of a number as JSON has it.
std::int64_t in_millionths(std::string_view text) {
  const bool zeros = text.size() > 1 && text[0] == '0' && text[1] != '.';
  const std::int64_t number = millionths(text);
  if (!zeros && !text.ends_with('.')) return number;
  misuse({"'", text, "': a number such as 1.6"});
}

/// "0.1s": as JSON has it (protobuf's Duration).
std::string in_seconds(Duration duration) {
  const std::int64_t second = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
  std::string digits = std::to_string(second + duration.count() % second);
  digits[0] = '.';
  digits.erase(digits.find_last_not_of('0') + 1);
  return std::to_string(duration.count() / second) + (digits == "." ? "" : digits) + 's';
}

Duration positive(std::string_view text) {
  const auto duration = value_from<Duration>(text);
  if (duration.count() > 0) return duration;
  misuse({"'", text, "': more than 0"});
}

/// A config while its words are being read, and its JSON: of each word its path, and its value.
struct Told {
  ServiceConfig config;
  MethodConfig method;
  Words json;

  template <class Value>
  static Value& made(std::optional<Value>& object) {
    return object ? *object : object.emplace();
  }

  /// @return its value in JSON.
  std::string tell(std::string_view name, const std::string& text) {
    const auto duration = [&](Duration& into, Duration value) {
      into = value;
      return in_quotes(in_seconds(value));
    };
    const auto codes = [&](Codes& into) {
      return listed(text, [&](std::string_view one) {
        const auto code = code_named(one);
        if (!code) {
          misuse({"'", one, "': one of gRPC's codes, such as UNAVAILABLE"});
        }
        into.set(static_cast<std::size_t>(*code));
        return in_quotes(one);
      });
    };
    const auto attempts = [&](std::uint32_t& into) {
      into = whole(text, 2, RetryPolicy::kMostAttempts);
      return std::to_string(into);
    };
    if (name == kName) {
      if (!text.empty()) return listed(text, [&](std::string_view one) { return method_of(one); });
      method.names.emplace_back();
      return "[{}]";
    }
    if (name == "timeout") return duration(made(method.timeout), value_from<Duration>(text));
    if (name == "waitForReady") {
      method.wait_for_ready = value_from<bool>(text);
      return text;
    }
    if (name.starts_with("retryPolicy.")) {
      RetryPolicy& retry = made(method.retry);
      if (name.ends_with("Attempts")) return attempts(retry.max_attempts);
      if (name.ends_with("initialBackoff")) return duration(retry.initial_backoff, positive(text));
      if (name.ends_with("maxBackoff")) return duration(retry.max_backoff, positive(text));
      if (name.ends_with("Codes")) return codes(retry.retryable);
      const std::int64_t multiplier = in_millionths(text);
      if (multiplier == 0) misuse({"'", text, "': more than 0"});
      retry.backoff_multiplier = static_cast<double>(multiplier) / kMillion;
      return text;
    }
    if (name.starts_with("hedgingPolicy.")) {
      HedgingPolicy& hedging = made(method.hedging);
      if (name.ends_with("Attempts")) return attempts(hedging.max_attempts);
      if (name.ends_with("Codes")) return codes(hedging.non_fatal);
      return duration(hedging.delay, value_from<Duration>(text));
    }
    if (name.starts_with("retryThrottling.")) {
      RetryThrottling& throttling = made(config.throttling);
      if (name.ends_with("maxTokens")) {
        throttling.max_milli_tokens = whole(text, 1, 1000) * 1000;
        return text;
      }
      const std::int64_t milli = in_millionths(text) / 1000;  // A6: 3 digits count
      if (milli == 0) misuse({"'", text, "': 0.001 or more"});
      throttling.milli_ratio = static_cast<std::uint32_t>(std::min<std::int64_t>(milli, 1e9));
      return text;
    }
    config.health_service = text;
    return in_quotes(text);
  }

 private:
  std::string method_of(std::string_view text) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view service = text.substr(0, slash);
    const std::string_view name = slash == text.size() ? "" : text.substr(slash + 1);
    if (service.empty() || name.find('/') != std::string_view::npos) {
      misuse({"'", text, "': a service, or a method, such as greet.GreetService/Greet"});
    }
    method.names.push_back({std::string(service), std::string(name)});
    return R"({"service":)" + in_quotes(service) +
           (name.empty() ? "" : R"(,"method":)" + in_quotes(name)) + '}';
  }
};

/// The words whose paths begin with `prefix`, as an object: each member where its first word is.
std::string object(const Words& all, const std::string& prefix) {
  std::string text = "{";
  std::vector<std::string> there;
  for (const auto& [path, value] : all) {
    if (!path.starts_with(prefix)) continue;
    const std::size_t dot = path.find('.', prefix.size());
    const std::string name = path.substr(prefix.size(), dot - prefix.size());
    if (std::ranges::find(there, name) != there.end()) continue;
    text += (there.empty() ? "\"" : ",\"") + name + "\":";
    there.push_back(name);
    if (dot == std::string::npos) {
      text += value;
    } else {
      const std::string inner = object(all, path.substr(0, dot + 1));
      text += name == kMethods ? '[' + inner + ']' : inner;
    }
  }
  return text + '}';
}

/// Of those whose object is told.
void check_all_there(const Words& named) {
  const auto told = [&](auto&& of) {
    return std::ranges::any_of(named, [&](const auto& word) { return of(word.first); });
  };
  for (const ConfigWord& word : kWords) {
    if (!word.needed || told([&](std::string_view name) { return name == word.name; })) continue;
    const std::string_view object = word.name.substr(0, word.name.find('.') + 1);
    if (told([&](std::string_view name) { return name.starts_with(object); })) {
      misuse({object.substr(0, object.size() - 1), " needs ", word.name, ", ", word.help});
    }
  }
}

}  // namespace

std::span<const ConfigWord> config_words() {
  return kWords;
}

bool is_config_word(std::string_view name) {
  return std::ranges::find(kWords, name, &ConfigWord::name) != kWords.end();
}

std::shared_ptr<const ServiceConfig> config_from(const Words& named) {
  Words words;
  std::ranges::copy_if(named, std::back_inserter(words),
                       [](const auto& word) { return is_config_word(word.first); });
  if (words.empty()) return nullptr;
  const auto of_methods = std::ranges::find_if(words, is_of_methods, &Word::first);
  if (of_methods != words.end() && std::ranges::count(words, kName, &Word::first) == 0) {
    words.insert(of_methods, {std::string(kName), ""});
  }
  Told told;
  for (const auto& [name, text] : words) {
    if (std::ranges::count(words, name, &Word::first) > 1) {
      misuse({name, " is said twice"});
    }
    try {
      const std::string path = is_of_methods(name) ? std::string(kMethods) + '.' + name : name;
      told.json.emplace_back(path, told.tell(name, text));
    } catch (const std::invalid_argument& error) {
      misuse({name, ": ", printable(error.what())});
    }
  }
  check_all_there(words);
  if (told.method.retry && told.method.hedging) {
    misuse({"retryPolicy and hedgingPolicy: a method has one of the two"});
  }
  if (of_methods != words.end()) told.config.methods.push_back(std::move(told.method));
  told.config.text = object(told.json, "");
  return std::make_shared<const ServiceConfig>(std::move(told.config));
}

}  // namespace greetlab
