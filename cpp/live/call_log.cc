#include "live/call_log.h"

#include <string_view>

namespace greetlab {
namespace {

// The article's server tells its pod only in the words of its greeting: "... from pod: name(<pod>),
// ip(<ip>).". We take it from there, so that the lab can be pointed at those pods too.
CalledPod pod_of(const greet::GreetingResponse& response) {
  if (!response.pod_name().empty() || !response.pod_ip().empty()) {
    return {response.pod_name(), response.pod_ip()};
  }
  static constexpr std::string_view kName = " from pod: name(";
  static constexpr std::string_view kIp = "), ip(";
  const std::string_view result = response.result();
  const auto name = result.rfind(kName);
  const auto ip = result.rfind(kIp);
  if (name == std::string_view::npos || ip == std::string_view::npos || ip < name ||
      !result.ends_with(").")) {
    return {};
  }
  const auto after_name = name + kName.size();
  const auto after_ip = ip + kIp.size();
  return {std::string(result.substr(after_name, ip - after_name)),
          std::string(result.substr(after_ip, result.size() - 2 - after_ip))};
}

}  // namespace

CallLog::CallLog(std::size_t calls)
    : start_ns(calls, 0),
      latency_ns(calls, 0),
      status(calls, 0),
      pod(calls, -1),
      connection(calls, -1),
      serial(calls, 0),
      message(calls, -1) {}

template <class Add>
std::int32_t CallLog::intern(std::unordered_map<std::string, std::int32_t>& rows,
                             const std::string& key, Add add) {
  const auto found = rows.find(key);
  if (found != rows.end()) return found->second;
  const auto row = static_cast<std::int32_t>(rows.size());
  rows.emplace(key, row);
  add();
  return row;
}

void CallLog::answered(std::size_t row, std::int64_t now_ns,
                       const greet::GreetingResponse& response, bool dialled) {
  latency_ns[row] = now_ns - start_ns[row];
  serial[row] = static_cast<std::int64_t>(response.serial());
  if (!results.empty()) results[row] = response.result();

  const CalledPod* told = nullptr;
  CalledPod parsed;
  if (response.pod_name().empty()) {
    parsed = pod_of(response);
    told = &parsed;
  }
  const std::string& name = told ? told->name : response.pod_name();
  const std::string& ip = told ? told->ip : response.pod_ip();
  key_.assign(name).append("\n").append(ip);
  pod[row] = intern(pod_rows_, key_, [&] { pods.push_back({name, ip}); });
  if (response.peer().empty()) return;
  key_.append("\n").append(response.peer());
  if (dialled) key_.append("\n").append(std::to_string(row));
  connection[row] =
      intern(connection_rows_, key_, [&] { connections.push_back({pod[row], response.peer()}); });
}

void CallLog::failed(std::size_t row, std::int64_t now_ns, int code, const std::string& text) {
  latency_ns[row] = now_ns - start_ns[row];
  status[row] = code;
  message[row] = intern(message_rows_, text, [&] { messages.push_back(text); });
}

}  // namespace greetlab
