#include "client/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "core/printable.h"
#include "core/status.h"

namespace greetlab {
namespace {

// Of the calls that were OK; nearest rank.
std::string milliseconds(const std::vector<std::int64_t>& sorted, int percent) {
  const std::size_t rank = (sorted.size() * static_cast<std::size_t>(percent) + 99) / 100;
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", static_cast<double>(sorted[rank - 1]) / 1e6);
  return text;
}

std::string count(std::size_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace

std::string report(const CallLog& log) {
  std::map<int, std::size_t> by_code;
  std::map<std::string, std::size_t> by_pod;
  std::vector<std::int64_t> latencies;
  for (std::size_t row = 0; row < log.size(); ++row) {
    ++by_code[log.status[row]];
    if (log.status[row] != 0) continue;
    const CalledPod& pod = log.pods[static_cast<std::size_t>(log.pod[row])];
    ++by_pod[pod.name.empty() ? pod.ip : pod.name];
    latencies.push_back(log.latency_ns[row]);
  }
  std::ranges::sort(latencies);

  std::string text = count(log.size(), "call");
  for (const auto& [code, calls] : by_code) {
    text += " · " + std::to_string(calls) + " " + std::string(to_string(code_of(code)));
  }
  if (!latencies.empty()) {
    // None: the engine does not tell, and neither does the server (the article's).
    text += " · " +
            (log.connections.empty() ? "connections unknown"
                                     : count(log.connections.size(), "connection")) +
            " · p50 " + milliseconds(latencies, 50) + ", p99 " + milliseconds(latencies, 99);
  }
  text += '\n';
  for (const auto& [pod, calls] : by_pod)
    text += "  " + printable(pod) + "  " + std::to_string(calls) + '\n';
  for (const std::string& message : log.messages) text += "  " + printable(message) + '\n';
  return text;
}

}  // namespace greetlab
