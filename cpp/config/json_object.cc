#include "config/json_object.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "core/number.h"
#include "core/printable.h"

namespace greetlab {
namespace {

/// C-core's parser stops there, too (src/core/util/json/json_reader.cc, GRPC_JSON_MAX_DEPTH 255);
/// no config needs a tenth of it.
constexpr int kDeepest = 100;
constexpr std::size_t kLongestShown = 60;

/// How far apart two words are: letters to put in, leave out or change.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t corner = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = corner + (left[i - 1] != right[j - 1]);
      corner = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row.back();
}

std::string letters(std::string_view name) {
  std::string small;
  for (const char c : name) {
    if (c == '_' || c == '-') continue;
    small += 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return small;
}

bool differs_in_case_only(std::string_view left, std::string_view right) {
  return left.size() == right.size() && letters(left) == letters(right);
}

std::string shown(std::string_view text) {
  if (text.size() <= kLongestShown) return printable(text);
  return printable(text.substr(0, kLongestShown)) + "...";
}

}  // namespace

void Remarks::error(std::string sentence, std::string stock) {
  errors.push_back({std::move(sentence), std::move(stock)});
}

void Remarks::warn(std::string sentence, std::string stock) {
  warnings.push_back({std::move(sentence), std::move(stock)});
}

void Remarks::elsewhere(std::string sentence, std::string stock) {
  others.push_back({std::move(sentence), std::move(stock)});
}

std::optional<Json> parse_json(std::string_view text, Remarks& remarks) {
  std::vector<std::set<std::string>> names;  // of the objects that are open
  bool too_deep = false;
  std::vector<std::string> twice;
  const Json::parser_callback_t look = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDeepest) return !(too_deep = true);
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end && !names.empty()) names.pop_back();
    if (event == Json::parse_event_t::key && !names.empty()) {
      const auto& name = value.get_ref<const std::string&>();
      if (!names.back().insert(name).second) twice.push_back(name);
    }
    return true;
  };
  try {
    Json json = Json::parse(text, look);
    if (too_deep) {
      remarks.error("the config has lists and objects in one another more than " +
                    std::to_string(kDeepest) + " deep");
      return std::nullopt;
    }
    for (const std::string& name : twice) {
      remarks.error("\"" + shown(name) + "\" stands twice in one object",
                    "C++ and Python refuse the config, too; Go and Node take the last one");
    }
    return json;
  } catch (const Json::parse_error& error) {
    const bool blank = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
    remarks.error(blank ? "the config is empty: the least is {}"
                        : "the config is not JSON: see byte " + std::to_string(error.byte),
                  blank ? "Node takes an empty text for no config" : "");
  } catch (const Json::exception&) {  // 1e999
    remarks.error("the config has a number that no computer can hold");
  }
  return std::nullopt;
}

std::string in_words(const Json& value) {
  if (value.is_string()) return "\"" + shown(value.get_ref<const std::string&>()) + "\"";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  if (value.is_object()) return "an object";
  return value.dump();
}

std::optional<Duration> duration_of(std::string_view text) {
  constexpr std::int64_t kMostSeconds = 100LL * 365 * 24 * 3600;
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view rest = point == std::string_view::npos ? "0" : text.substr(point + 1);
  const auto is_digits = [](std::string_view digits) {
    return !digits.empty() &&
           std::ranges::all_of(digits, [](char c) { return '0' <= c && c <= '9'; });
  };
  if (!is_digits(whole) || !is_digits(rest) || rest.size() > 9) return std::nullopt;
  std::int64_t seconds = 0;
  const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  if (read.ec != std::errc() || seconds > kMostSeconds) return std::nullopt;
  std::int64_t nanoseconds = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), nanoseconds);
  for (std::size_t digits = rest.size(); digits < 9; ++digits) nanoseconds *= 10;
  return std::chrono::seconds(seconds) + Duration(nanoseconds);
}

std::optional<JsonObject> object_at(const Json& value, const std::string& path, Remarks& remarks) {
  if (value.is_object()) return JsonObject(value, path, remarks);
  remarks.error(path + " is " + in_words(value) + ": it must be an object");
  return std::nullopt;
}

std::string JsonObject::at(std::string_view name) const {
  return path_ + (path_.empty() ? "" : ".") + std::string(name);
}

const Json* JsonObject::find(std::string_view name) {
  asked_.emplace_back(name);
  const auto found = value_.find(std::string(name));
  return found == value_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> JsonObject::text(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  remarks_.error(at(name) + " is " + in_words(*value) + ": it must be a text");
  return std::nullopt;
}

std::optional<bool> JsonObject::truth(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  remarks_.error(at(name) + " is " + in_words(*value) + ": it must be true or false");
  return std::nullopt;
}

std::optional<Duration> JsonObject::duration(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) {
    if (const auto read = duration_of(value->get_ref<const std::string&>())) return read;
  }
  remarks_.error(at(name) + " is " + in_words(*value) +
                 ": a duration is a text of seconds, 0 or more, with at most 9 digits after the "
                 "point, such as \"1.5s\"");
  return std::nullopt;
}

std::optional<double> JsonObject::number_of(std::string_view name, const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    double read = 0;
    const auto [end, error] = read_number(text, read);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(read)) {
      remarks_.elsewhere(at(name) + " is a number in quotes, \"" + shown(text) + "\"",
                         "C++ and Python take it; Go and Node refuse the config");
      return read;
    }
  }
  remarks_.error(at(name) + " is " + in_words(value) + ": it must be a number");
  return std::nullopt;
}

std::optional<double> JsonObject::number(std::string_view name) {
  const Json* value = find(name);
  return value == nullptr ? std::nullopt : number_of(name, *value);
}

std::optional<std::int64_t> JsonObject::whole(std::string_view name, std::int64_t least,
                                              std::int64_t most) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  const std::optional<double> read = number_of(name, *value);
  if (!read) return std::nullopt;
  if (std::trunc(*read) != *read) {
    remarks_.error(at(name) + " is " + in_words(*value) + ": it must be a whole number");
    return std::nullopt;
  }
  if (*read < static_cast<double>(least)) {
    remarks_.error(at(name) + " is " + in_words(*value) + ": it must be " + std::to_string(least) +
                   " or more");
    return std::nullopt;
  }
  if (*read > static_cast<double>(most)) {
    remarks_.error(at(name) + " is " + in_words(*value) + ": it must be " + std::to_string(most) +
                   " or less");
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*read);
}

const Json* JsonObject::list(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr || value->is_array()) return value;
  remarks_.error(at(name) + " is " + in_words(*value) + ": it must be a list");
  return nullptr;
}

std::optional<JsonObject> JsonObject::object(std::string_view name) {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  return object_at(*value, at(name), remarks_);
}

void JsonObject::require(std::string_view name) {
  const auto found = value_.find(std::string(name));
  if (found == value_.end() || found->is_null()) remarks_.error(at(name) + " is missing");
}

void JsonObject::finish() {
  for (const auto& [name, value] : value_.items()) {
    if (std::ranges::find(asked_, name) != asked_.end()) continue;
    const std::string what = at(shown(name)) + " is no field of a service config: it is ignored";
    const auto meant = std::ranges::find_if(asked_, [&](const std::string& one) {
      return letters(one) == letters(name) || (name.size() < 40 && distance(one, name) <= 2);
    });
    if (meant == asked_.end()) {
      remarks_.warn(what);
    } else {
      remarks_.warn(what + "; is " + *meant + " meant?",
                    differs_in_case_only(*meant, name)
                        ? "Go takes it all the same, the other languages ignore it"
                        : "all of its languages ignore it");
    }
  }
}

}  // namespace greetlab
