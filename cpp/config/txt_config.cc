#include "config/txt_config.h"

#include <algorithm>
#include <cctype>

#include "config/json_object.h"
#include "core/printable.h"

namespace greetlab {
namespace {

constexpr std::string_view kAttribute = "grpc_config=";

bool same_letters(std::string_view left, std::string_view right) {
  const auto small = [](unsigned char c) { return std::tolower(c); };
  return std::ranges::equal(left, right, {}, small, small);
}

/// Whether a list of words has this one; an empty list, or none, has all (A2).
template <class Same>
bool has(JsonObject& choice, std::string_view name, std::string_view word, const Same& same) {
  const Json* list = choice.list(name);
  if (list == nullptr || list->empty()) return true;
  bool found = false;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& one = (*list)[i];
    if (!one.is_string()) {
      choice.remarks().error(choice.at(name) + '[' + std::to_string(i) + "] is " + in_words(one) +
                             ": it must be a text");
    } else {
      found |= same(one.get_ref<const std::string&>(), word);
    }
  }
  return found;
}

TxtConfig refused(const std::vector<Remark>& errors) {
  std::string why = "the service config in DNS makes no sense";
  std::string_view before = ": ";
  for (const Remark& error : errors) {
    why += before;
    why += printable(error.sentence);
    before = "; ";
  }
  return {nullptr, {Code::unavailable, why}};
}

}  // namespace

TxtConfig choose_config(const std::vector<std::string>& records, const ConfigReader& reader) {
  const auto record = std::ranges::find_if(
      records, [](const std::string& one) { return one.starts_with(kAttribute); });
  if (record == records.end()) return {};
  Remarks remarks;
  const auto choices = parse_json(std::string_view(*record).substr(kAttribute.size()), remarks);
  if (choices && !choices->is_array()) {
    remarks.error("grpc_config is " + in_words(*choices) + ": it must be a list of choices");
  }
  const Json* chosen = nullptr;
  // Each is looked at, whoever it is for: one that makes no sense discards them all (A2).
  for (std::size_t i = 0; choices && choices->is_array() && i < choices->size(); ++i) {
    auto choice = object_at((*choices)[i], "grpc_config[" + std::to_string(i) + ']', remarks);
    if (!choice) continue;
    bool mine = has(*choice, "clientLanguage", kClientLanguage, same_letters);
    mine &= has(*choice, "clientHostname", reader.hostname, std::equal_to<std::string_view>());
    const auto percentage = choice->whole("percentage", 0, 100);
    mine &= !percentage || reader.percentile < *percentage;
    choice->require("serviceConfig");
    const Json* config = choice->find("serviceConfig");
    const std::size_t before = remarks.warnings.size();
    choice->finish();
    for (std::size_t w = before; w < remarks.warnings.size(); ++w) {  // "is considered invalid"
      remarks.error(remarks.warnings[w].sentence);
    }
    if (mine && chosen == nullptr) chosen = config;
  }
  if (!remarks.errors.empty()) return refused(remarks.errors);
  if (chosen == nullptr) return {};
  ReadServiceConfig read = read_service_config(chosen->dump(-1, ' ', true));
  if (read.config == nullptr) return refused(read.errors);
  return {std::move(read.config), {}};
}

std::string to_txt(const ServiceConfig& config) {
  return std::string(kAttribute) + "[{\"serviceConfig\":" + config.text + "}]";
}

}  // namespace greetlab
