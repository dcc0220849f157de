// What greet-client found out, as JSON: for whoever asked it from another process or machine.
#pragma once

#include <nlohmann/json.hpp>

#include "core/call_log.h"
#include "core/lookup.h"

namespace greetlab {

// Found by nlohmann::json: `json(log)`, `json.get_to(log)`. From JSON they throw
// nlohmann::json::exception for what is not what the other function made.

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CalledPod, name, ip)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CalledConnection, pod, peer)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CallLog, start_ns, latency_ns, status, pod, connection, serial,
                                   message, results, pods, connections, messages)

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SrvRecord, priority, weight, port, target)

void to_json(nlohmann::json& json, const Record& record);
void from_json(const nlohmann::json& json, Record& record);
/// `reply` is in base64.
void to_json(nlohmann::json& json, const Query& query);
void from_json(const nlohmann::json& json, Query& query);
void to_json(nlohmann::json& json, const Lookup& lookup);
void from_json(const nlohmann::json& json, Lookup& lookup);

/// As a line, without its end: what is not UTF-8 becomes U+FFFD.
std::string line_of(const nlohmann::json& json);

}  // namespace greetlab
