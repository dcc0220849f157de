#include "client/commands.h"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "config/service_config.h"
#include "core/base64.h"
#include "core/distribution.h"
#include "core/metadata.h"

namespace greetlab {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

json parsed(std::string_view line) {
  json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) refuse("a command is a line of JSON, and this is none");
  return object;
}

std::string quoted(const char* name) {
  return '"' + std::string(name) + '"';
}

}  // namespace

Fields::Fields(std::string_view line) : Fields(parsed(line)) {}

Fields::Fields(json object) : object_(std::move(object)) {
  if (!object_.is_object()) refuse("a JSON object is expected");
}

json Fields::take(const char* name) {
  const auto found = object_.find(name);
  if (found == object_.end()) refuse("field " + quoted(name) + " is missing");
  json value = std::move(*found);
  object_.erase(found);
  return value;
}

std::string Fields::take_text(const char* name) {
  const json value = take(name);
  if (!value.is_string()) refuse("field " + quoted(name) + " is a text");
  return value.get<std::string>();
}

bool Fields::take_bool(const char* name) {
  const json value = take(name);
  if (!value.is_boolean()) refuse("field " + quoted(name) + " is true or false");
  return value.get<bool>();
}

std::uint64_t Fields::take_unsigned(const char* name) {
  const json value = take(name);
  if (!value.is_number_unsigned())
    refuse("field " + quoted(name) + " is a whole number, 0 or more");
  return value.get<std::uint64_t>();
}

Duration Fields::take_seconds(const char* name) {
  const json value = take(name);
  const double seconds = value.is_number() ? value.get<double>() : -1.0;
  if (!(seconds >= 0 && seconds < 9e9)) refuse("field " + quoted(name) + " is a number of seconds");
  return Duration(std::llround(seconds * 1e9));
}

void Fields::expect_nothing_left() const {
  if (!object_.empty()) refuse("field " + quoted(object_.begin().key().c_str()) + " is unknown");
}

ChannelOptions read_channel_options(Fields& fields) {
  ChannelOptions options;
  options.name = fields.take_text("channel");
  options.target = fields.take_text("target");
  if (const json policy = fields.take("policy"); policy.is_string()) {
    options.policy.policy = policy.get<std::string>();
  } else {
    const json config{{"loadBalancingConfig", json::array({policy})}};
    options.policy = *require_service_config(config.dump())->policy;
  }
  if (fields.has("service_config")) {
    options.service_config = require_service_config(fields.take_text("service_config"));
  }
  if (fields.has("options")) {
    Fields given(fields.take("options"));
    ChannelOptions::each(options, [&](const char* name, auto& value, const char*) {
      if (given.has(name)) given.take_to(name, value);
    });
    given.expect_nothing_left();
  }
  return options;
}

GreetLoad read_load(Fields& fields) {
  GreetLoad load;
  load.first_name = fields.take_text("first_name");
  load.last_name = fields.take_text("last_name");
  load.keep_results = fields.take_bool("keep_results");
  LoadConfig& config = load.config;
  config.calls = fields.take_unsigned("calls");
  if (config.calls > 50'000'000) refuse("field \"calls\" is 50,000,000 at most");
  config.concurrency = fields.take_unsigned("concurrency");
  if (config.concurrency == 0) refuse("field \"concurrency\" is 1 or more");
  config.interval = parse_distribution(fields.take_text("every"));
  config.timeout = fields.take_seconds("timeout");
  config.wait_for_ready = fields.take_bool("wait_for_ready");
  config.seed = fields.take_unsigned("seed");
  for (const json& pair : fields.take("metadata")) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      refuse("field \"metadata\" is a list of pairs: a name, and a value in base64");
    }
    const auto value = from_base64(pair[1].get<std::string>());
    if (!value) refuse("field \"metadata\" has a value that is no base64");
    config.metadata.emplace_back(pair[0].get<std::string>(), *value);
  }
  config.key_header = fields.take_text("key_header");
  config.keys = fields.take_unsigned("keys");
  Metadata all = config.metadata;
  if (config.keys > 0) all.emplace_back(config.key_header, "");
  sendable(std::move(all));
  return load;
}

std::vector<RecordType> read_types(Fields& fields) {
  std::vector<RecordType> types;
  for (const json& type : fields.take("types")) {
    if (!type.is_string()) refuse("field \"types\" is a list of words");
    types.push_back(parse_record_type(type.get<std::string>()));
  }
  return types;
}

std::vector<Address> read_addresses(Fields& fields) {
  std::vector<Address> addresses;
  for (const json& address : fields.take("addresses")) {
    if (!address.is_string()) refuse("field \"addresses\" is a list of texts");
    addresses.push_back(parse_address(address.get<std::string>()));
  }
  return addresses;
}

std::vector<SliceEndpoint> read_endpoints(Fields& fields) {
  std::vector<SliceEndpoint> endpoints;
  for (json& one : fields.take("endpoints")) {
    Fields given(std::move(one));
    endpoints.push_back({given.take_text("pod"),
                         {parse_address(given.take_text("address"))},
                         given.take_bool("ready"),
                         given.take_bool("serving"),
                         given.take_bool("terminating")});
    given.expect_nothing_left();
  }
  return endpoints;
}

}  // namespace greetlab
