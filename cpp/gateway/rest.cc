#include "gateway/rest.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace greetlab {
namespace {

constexpr std::string_view kJson = "application/json";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool same(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

/// How much the client likes a media type that it names, 0 to 1; 0 where it does not name it.
double liking(std::string_view accept, std::string_view type) {
  for (const std::string_view range : split(accept, ',')) {
    const auto parts = split(range, ';');
    if (!same(parts.front(), type)) continue;
    for (const std::string_view parameter : parts) {
      if (parameter.starts_with("q=")) return std::atof(std::string(parameter.substr(2)).c_str());
    }
    return 1;
  }
  return 0;
}

std::string to_json(const google::protobuf::Message& message) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  // Only a string that is no UTF-8 could be in the way, and gRPC's parser lets none in.
  return status.ok() ? json + '\n'
                     : R"({"error": "the answer cannot be written as JSON"})"
                       "\n";
}

Reply failure(unsigned status, const std::string& sentence, bool json) {
  Reply reply{status, sentence + '\n'};
  if (json) {
    const auto replace = nlohmann::json::error_handler_t::replace;  // what is no UTF-8
    reply.body = nlohmann::json{{"error", sentence}}.dump(-1, ' ', false, replace) + '\n';
    reply.content_type = kJson;
  }
  reply.retry = status == 503;
  return reply;
}

[[noreturn]] void refuse_body(const std::string& why) {
  throw Refusal(400, why + R"( (expected {"first_name": "Ada", "last_name": "Lovelace"}).)");
}

/// What a value is, with its article: "a number".
std::string kind_of(const nlohmann::json& value) {
  const std::string name = value.type_name();
  return (name.find_first_of("aeiou") == 0 ? "an " : "a ") + name;
}

/// protobuf's parser lets pass what is no JSON, and its complaints are for programmers: what may be
/// wrong with a greeting is looked for here.
void check_body(const std::string& body) {
  if (trimmed(body).empty()) refuse_body("the body is empty");
  nlohmann::json value;
  try {
    value = nlohmann::json::parse(body);
  } catch (const nlohmann::json::parse_error& error) {
    refuse_body("the body is not JSON: see byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::exception&) {  // 1e999
    refuse_body("the body has a number that no computer can hold");
  }
  if (!value.is_object()) refuse_body("the body is " + kind_of(value) + ", not an object");
  for (const char* name : {"first_name", "firstName", "last_name", "lastName"}) {
    const auto found = value.find(name);
    if (found == value.end() || found->is_string() || found->is_null()) continue;
    refuse_body(std::string(name) + " is " + kind_of(*found) + ", not a string");
  }
}

}  // namespace

greet::GreetingRequest read_greeting(std::string_view content_type, const std::string& body) {
  const std::string_view type = split(content_type, ';').front();
  if (!type.empty() && !same(type, kJson)) {
    throw Refusal(415, "the body must be JSON (Content-Type: application/json), and this one is " +
                           std::string(type) + ".");
  }
  check_body(body);
  greet::GreetingRequest request;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status =
      google::protobuf::util::JsonStringToMessage(body, request.mutable_greeting(), options);
  if (!status.ok()) refuse_body("the body is no greeting");
  for (const auto& [name, value] : {std::pair{"first_name", &request.greeting().first_name()},
                                    std::pair{"last_name", &request.greeting().last_name()}}) {
    if (value->empty()) refuse_body(std::string(name) + " is missing");
  }
  return request;
}

bool wants_json(std::string_view accept) {
  const double json = liking(accept, kJson);
  return json > 0 && json >= liking(accept, "text/plain");
}

Reply reply_to(const Status& status, const greet::GreetingResponse& response, bool json) {
  const std::string why = status.message + " (" + std::string(to_string(status.code)) + ").";
  switch (status.code) {
    case Code::ok: {
      if (!json) return {200, "response from Greet rpc: " + response.result() + '\n'};
      return {200, to_json(response), std::string(kJson)};
    }
    case Code::unavailable:
    case Code::cancelled:  // it is we who are ending
      return failure(503, "no pod could be asked: " + why, json);
    case Code::deadline_exceeded: return failure(504, "no pod has answered in time: " + why, json);
    default: return failure(502, "the pod has answered with an error: " + why, json);
  }
}

Reply reply_to(const Refusal& refusal, bool json) {
  return failure(refusal.status, refusal.what(), json);
}

}  // namespace greetlab
