#include "client/answers.h"

#include <optional>
#include <stdexcept>
#include <string>

#include "core/base64.h"

namespace greetlab {
namespace {

using nlohmann::json;

// Where there is nothing, there is no field.
template <class Value>
void put(json& object, const char* name, const std::optional<Value>& value) {
  if (value) object[name] = *value;
}

template <class Value>
void get(const json& object, const char* name, std::optional<Value>& value) {
  if (object.contains(name)) value = object.at(name).get<Value>();
}

}  // namespace

void to_json(json& object, const Record& record) {
  object = {
      {"name", record.name}, {"type", record.type}, {"ttl", record.ttl}, {"text", record.text}};
  put(object, "srv", record.srv);
}

void from_json(const json& object, Record& record) {
  object.at("name").get_to(record.name);
  object.at("type").get_to(record.type);
  object.at("ttl").get_to(record.ttl);
  object.at("text").get_to(record.text);
  get(object, "srv", record.srv);
}

void to_json(json& object, const Query& query) {
  object = {{"name", query.name},
            {"type", query.type},
            {"server", to_string(query.server)},
            {"transport", query.transport},
            {"status", query.status},
            {"authoritative", query.authoritative},
            {"started_ns", query.started_ns},
            {"round_trip_ns", query.round_trip_ns},
            {"reply", base64(query.reply)},
            {"records", query.records}};
  put(object, "rcode", query.rcode);
  put(object, "ttl", query.ttl);
}

void from_json(const json& object, Query& query) {
  object.at("name").get_to(query.name);
  object.at("type").get_to(query.type);
  query.server = parse_address(object.at("server").get<std::string>());
  object.at("transport").get_to(query.transport);
  object.at("status").get_to(query.status);
  object.at("authoritative").get_to(query.authoritative);
  object.at("started_ns").get_to(query.started_ns);
  object.at("round_trip_ns").get_to(query.round_trip_ns);
  query.reply = from_base64(object.at("reply").get<std::string>()).value_or("");
  object.at("records").get_to(query.records);
  get(object, "rcode", query.rcode);
  get(object, "ttl", query.ttl);
}

void to_json(json& object, const Lookup& lookup) {
  object = {{"name", lookup.name},
            {"queries", lookup.queries},
            {"status", lookup.status},
            {"answer_name", lookup.answer_name},
            {"addresses", lookup.addresses},
            {"srv", lookup.srv},
            {"txt", lookup.txt}};
  put(object, "ttl", lookup.ttl);
}

void from_json(const json& object, Lookup& lookup) {
  object.at("name").get_to(lookup.name);
  object.at("queries").get_to(lookup.queries);
  object.at("status").get_to(lookup.status);
  object.at("answer_name").get_to(lookup.answer_name);
  object.at("addresses").get_to(lookup.addresses);
  object.at("srv").get_to(lookup.srv);
  object.at("txt").get_to(lookup.txt);
  get(object, "ttl", lookup.ttl);
}

std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace greetlab
