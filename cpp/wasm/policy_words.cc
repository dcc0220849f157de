#include "wasm/policy_words.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>

#include "core/misuse.h"
#include "core/printable.h"
#include "lb/policies/registry.h"
#include "wasm/values.h"

namespace greetlab {
namespace {

constexpr std::string_view kPolicy = "policy";
constexpr std::string_view kChild = "childPolicy";  // as a service config has it
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::size_t kDigits = 6;

const PolicyType* find(std::string_view name) {
  const auto found = std::ranges::find(policies(), name, &PolicyType::name);
  return found == policies().end() ? nullptr : &*found;
}

std::int64_t number_from(const PolicyField& field, std::string_view text) {
  switch (field.unit) {
    case FieldUnit::number: break;
    case FieldUnit::truth: return value_from<bool>(text) ? 1 : 0;
    case FieldUnit::nanoseconds: return value_from<Duration>(text).count();
    case FieldUnit::millionths: return millionths(text);
  }
  return value_from<std::int64_t>(text);
}

// A policy and its children while their words are being read.
struct Told {
  PolicyConfig config;
  std::unique_ptr<Told> child;
};

PolicyConfig finished(Told told) {
  if (told.child) {
    told.config.child = std::make_shared<const PolicyConfig>(finished(std::move(*told.child)));
  }
  return std::move(told.config);
}

void tell(Told& told, std::string_view name, std::string_view value) {
  if (name == kChild || name.starts_with(std::string(kChild) + ".")) {
    const bool itself = name == kChild;
    if (!told.child) {
      const PolicyType* const type = find(told.config.policy);
      told.child = std::make_unique<Told>();
      if (type != nullptr && !type->child.empty()) told.child->config.policy = type->child;
    }
    if (itself) {
      told.child->config.policy = value;
    } else {
      tell(*told.child, name.substr(kChild.size() + 1), value);
    }
    return;
  }
  const PolicyType* const type = find(told.config.policy);
  if (type != nullptr && std::ranges::find(type->texts, name) != type->texts.end()) {
    told.config.texts.insert_or_assign(std::string(name), std::string(value));
    return;
  }
  // One that there is not is `complete`'s to refuse.
  std::int64_t number = 0;
  if (type != nullptr) {
    const auto field = std::ranges::find(type->fields, name, &PolicyField::name);
    if (field != type->fields.end()) number = number_from(*field, value);
  }
  told.config.fields.insert_or_assign(std::string(name), number);
}

void write(const PolicyConfig& config, const std::string& prefix,
           std::vector<std::pair<std::string, std::string>>& words) {
  const PolicyType* const type = find(config.policy);
  if (config.make || type == nullptr) {
    misuse({"policy '", config.policy,
            "': only those of the lab's own have "
            "words, ",
            policy_names()});
  }
  words.emplace_back(prefix, config.policy);
  for (const PolicyField& field : type->fields) {
    const auto given = config.fields.find(field.name);
    if (given == config.fields.end() || given->second == field.usual) continue;
    words.emplace_back(prefix + "." + std::string(field.name), field_text(field, given->second));
  }
  for (const auto& [name, text] : config.texts) {
    if (!text.empty()) words.emplace_back(prefix + "." + name, text);
  }
  if (config.child) write(*config.child, prefix + "." + std::string(kChild), words);
}

}  // namespace

std::int64_t millionths(std::string_view text) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, dot);
  std::string digits(dot == text.size() ? "" : text.substr(dot + 1));
  const bool sound = whole.size() <= 9 && digits.size() <= kDigits &&
                     digits.find_first_not_of("0123456789") == std::string::npos;
  if (!sound) {
    misuse({"'", text, "': a number, with at most ", std::to_string(kDigits),
            " digits after its point"});
  }
  digits.resize(kDigits, '0');
  return value_from<std::uint32_t>(whole) * kMillion + value_from<std::uint32_t>(digits);
}

std::string field_text(const PolicyField& field, std::int64_t value) {
  switch (field.unit) {
    case FieldUnit::number: break;
    case FieldUnit::truth: return text_of(value != 0);
    case FieldUnit::nanoseconds: return to_text(Duration(value));
    case FieldUnit::millionths: {
      std::string digits = std::to_string(value % kMillion);
      digits.insert(0, kDigits - digits.size(), '0');
      digits.erase(digits.find_last_not_of('0') + 1);
      return std::to_string(value / kMillion) + (digits.empty() ? "" : "." + digits);
    }
  }
  return std::to_string(value);
}

bool is_policy_word(std::string_view name) {
  return name == kPolicy || name.starts_with(std::string(kPolicy) + ".");
}

PolicyConfig policy_from(const std::vector<std::pair<std::string, std::string>>& named) {
  Told told;
  // A policy's name says which fields there are, whatever their order: what is less deep comes
  // first.
  const auto depth = [](std::string_view word) {
    std::size_t count = 0;
    for (word.remove_prefix(kPolicy.size());
         word.substr(0, 1) == "." && word.substr(1).starts_with(kChild);
         word.remove_prefix(kChild.size() + 1)) {
      ++count;
    }
    return count * 2 + (word.empty() ? 0 : 1);
  };
  std::multimap<std::size_t, const std::pair<std::string, std::string>*> words;
  for (const auto& word : named) {
    if (!is_policy_word(word.first)) continue;
    constexpr std::size_t kLongest = 400;  // so no stack ends before `complete` says: too deep
    if (word.first.size() > kLongest) misuse({"policies in policies in policies"});
    words.emplace(depth(word.first), &word);
  }
  for (const auto& [at, word] : words) {
    try {
      if (word->first == kPolicy) {
        told.config.policy = word->second;
      } else {
        tell(told, std::string_view(word->first).substr(kPolicy.size() + 1), word->second);
      }
    } catch (const std::invalid_argument& error) {
      misuse({printable(word->first), ": ", printable(error.what())});
    }
  }
  return complete(finished(std::move(told)));
}

std::vector<std::pair<std::string, std::string>> words_of(const PolicyConfig& config) {
  std::vector<std::pair<std::string, std::string>> words;
  write(config, std::string(kPolicy), words);
  return words;
}

}  // namespace greetlab
