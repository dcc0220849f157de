#include "kube/slice_json.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/printable.h"

namespace greetlab {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestShown = 300;

// What is read. All else, such as managedFields, which are most of a slice, is not even kept.
constexpr std::array<std::string_view, 23> kRead{
    "type",      "object",      "kind",  "metadata", "name",        "resourceVersion",
    "items",     "addressType", "ports", "port",     "protocol",    "endpoints",
    "addresses", "conditions",  "ready", "serving",  "terminating", "targetRef",
    "hints",     "forZones",    "code",  "message",  "reason"};

// Deeper than a slice is; of what is deeper nothing is kept.
constexpr int kDeepest = 12;

std::string shown(std::string_view text) {
  if (text.size() <= kLongestShown) return printable(text);
  return printable(text.substr(0, kLongestShown)) + "...";
}

std::optional<Json> parse(std::string_view text, std::string& why) {
  const Json::parser_callback_t keep = [](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kDeepest) return false;
    if (event != Json::parse_event_t::key) return true;
    return std::ranges::find(kRead, value.get_ref<const std::string&>()) != kRead.end();
  };
  Json json = Json::parse(text, keep, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  why = "what it says is no JSON object: " + (text.empty() ? "nothing" : shown(text));
  return std::nullopt;
}

// What stands under a name, if it is there and of that kind.
const Json* find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool truth_of(const Json* value, bool otherwise) {
  return value != nullptr && value->is_boolean() ? value->get<bool>() : otherwise;
}

const Json& list_of(const Json* value) {
  static const Json kNone = Json::array();
  return value != nullptr && value->is_array() ? *value : kNone;
}

const Json& object_of(const Json* value) {
  static const Json kNone = Json::object();
  return value != nullptr && value->is_object() ? *value : kNone;
}

bool is_ip(const std::string& text) {
  in6_addr ignored;
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

struct SlicePort {
  std::string name;
  std::optional<std::uint16_t> number;  // none: every port (EndpointPort.port)
};

std::vector<SlicePort> ports_of(const Json& slice) {
  std::vector<SlicePort> ports;
  for (const Json& one : list_of(find(slice, "ports"))) {
    const std::string protocol = text_of(find(one, "protocol"));
    if (!protocol.empty() && protocol != "TCP") continue;
    SlicePort port{text_of(find(one, "name")), std::nullopt};
    if (const Json* const number = find(one, "port")) {
      if (number->is_number_unsigned() && number->get<std::uint64_t>() - 1 < 65535) {
        port.number = number->get<std::uint16_t>();
      } else if (!number->is_null()) {
        continue;
      }
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

std::optional<std::uint16_t> choose(const std::vector<SlicePort>& ports, const KubePort& wanted) {
  if (wanted.number) {
    // A headless Service may have no ports: then its pods have whichever they listen on.
    const bool any = ports.empty() || std::ranges::any_of(ports, [&](const SlicePort& one) {
                       return !one.number || one.number == wanted.number;
                     });
    return any ? wanted.number : std::nullopt;
  }
  if (wanted.text.empty()) return ports.size() == 1 ? ports.front().number : std::nullopt;
  const auto found = std::ranges::find(ports, wanted.text, &SlicePort::name);
  return found == ports.end() ? std::nullopt : found->number;
}

std::string in_words(const std::vector<SlicePort>& ports) {
  std::string text;
  for (const SlicePort& one : ports) {
    const std::string number = one.number ? std::to_string(*one.number) : "any";
    text += text.empty() ? "" : ", ";
    text += one.name.empty() ? number : one.name + " (" + number + ")";
  }
  return text.empty() ? "none" : text;
}

SliceEndpoint endpoint_of(const Json& json, std::uint16_t port) {
  SliceEndpoint endpoint;
  endpoint.pod = text_of(find(object_of(find(json, "targetRef")), "name"));
  for (const Json& one : list_of(find(json, "addresses"))) {
    if (std::string ip = text_of(&one); is_ip(ip)) endpoint.addresses.push_back({ip, port});
  }
  const Json& conditions = object_of(find(json, "conditions"));
  endpoint.ready = truth_of(find(conditions, "ready"), true);
  endpoint.serving = truth_of(find(conditions, "serving"), endpoint.ready);
  endpoint.terminating = truth_of(find(conditions, "terminating"), false);
  for (const Json& zone : list_of(find(object_of(find(json, "hints")), "forZones"))) {
    if (std::string name = text_of(find(zone, "name")); !name.empty()) {
      endpoint.zones.push_back(std::move(name));
    }
  }
  return endpoint;
}

std::string name_of(const Json& object) {
  return text_of(find(object_of(find(object, "metadata")), "name"));
}

std::string version_of(const Json& object) {
  constexpr std::size_t kLongest = 128;  // etcd's have 19 digits at most
  std::string version = text_of(find(object_of(find(object, "metadata")), "resourceVersion"));
  return version.size() > kLongest ? std::string() : version;
}

SliceAtPort slice_of(const Json& json, const KubePort& wanted) {
  SliceAtPort read;
  read.slice.name = name_of(json);
  if (text_of(find(json, "addressType")) == "FQDN") return read;
  const std::vector<SlicePort> ports = ports_of(json);
  read.ports = in_words(ports);
  const auto port = choose(ports, wanted);
  // The last slice of a service without pods says no ports, though the service has some.
  read.has_port = port.has_value() || (ports.empty() && list_of(find(json, "endpoints")).empty());
  if (!port) return read;
  for (const Json& one : list_of(find(json, "endpoints"))) {
    SliceEndpoint endpoint = endpoint_of(one, *port);
    if (!endpoint.addresses.empty()) read.slice.endpoints.push_back(std::move(endpoint));
  }
  return read;
}

}  // namespace

std::optional<SliceList> read_slice_list(std::string_view text, const KubePort& port,
                                         std::string& why) {
  const std::optional<Json> json = parse(text, why);
  if (!json) return std::nullopt;
  SliceList list;
  list.version = version_of(*json);
  const Json* const items = find(*json, "items");
  const bool is_list = items == nullptr || items->is_null() || items->is_array();
  if (text_of(find(*json, "kind")) != "EndpointSliceList" || list.version.empty() || !is_list) {
    why = "what it says is no EndpointSliceList: " + shown(text);
    return std::nullopt;
  }
  for (const Json& one : list_of(items)) {
    SliceAtPort slice = slice_of(one, port);
    if (!slice.slice.name.empty()) list.slices.push_back(std::move(slice));
  }
  return list;
}

std::optional<SliceNews> read_slice_news(std::string_view text, const KubePort& port,
                                         std::string& why) {
  const std::optional<Json> json = parse(text, why);
  if (!json) return std::nullopt;
  const std::string type = text_of(find(*json, "type"));
  const Json& object = object_of(find(*json, "object"));
  SliceNews news;
  news.version = version_of(object);
  if (type == "ERROR") {
    const Json* const code = find(object, "code");
    news.kind = SliceNews::Kind::error;
    news.code = code != nullptr && code->is_number_integer() ? code->get<int>() : 0;
    news.message = shown(text_of(find(object, "message")));
    return news;
  }
  const bool put = type == "ADDED" || type == "MODIFIED";
  if (news.version.empty() || !(put || type == "DELETED" || type == "BOOKMARK")) {
    why = "what it says is no event of a watch: " + shown(text);
    return std::nullopt;
  }
  if (type == "BOOKMARK") return news;
  news.kind = put ? SliceNews::Kind::changed : SliceNews::Kind::deleted;
  news.slice = slice_of(object, port);
  if (news.slice.slice.name.empty()) {
    why = "what it says has an EndpointSlice without a name: " + shown(text);
    return std::nullopt;
  }
  return news;
}

std::string status_message(std::string_view text) {
  std::string ignored;
  const std::optional<Json> json = parse(text, ignored);
  const std::string message = json ? text_of(find(*json, "message")) : std::string();
  return shown(message.empty() ? text : std::string_view(message));
}

}  // namespace greetlab
