#include "core/call_log.h"

#include <algorithm>
#include <utility>

namespace greetlab {
namespace {

// The row of `key` in a table that grows, by `add`, when the key is new.
template <class Add>
std::int32_t row_of(std::unordered_map<std::string, std::int32_t>& rows, const std::string& key,
                    Add add) {
  const auto found = rows.find(key);
  if (found != rows.end()) return found->second;
  const std::int32_t row = add();
  rows.emplace(key, row);
  return row;
}

}  // namespace

std::int32_t ConnectionRows::row(CallLog& log, std::uint32_t connection, std::int32_t by,
                                 std::string_view peer) {
  if (rows_.empty()) first_ = connection;
  if (connection < first_) {  // older than the first that carried a call
    rows_.insert(rows_.begin(), first_ - connection, -1);
    first_ = connection;
  }
  const std::size_t index = connection - first_;
  if (index >= rows_.size()) rows_.resize(index + 1, -1);
  if (rows_[index] < 0) {
    rows_[index] = log.add_connection(
        by, peer.empty() ? "client:" + std::to_string(connection) : std::string(peer));
  }
  return rows_[index];
}

CallLog::CallLog(std::size_t calls)
    : start_ns(calls, 0),
      latency_ns(calls, 0),
      status(calls, 0),
      pod(calls, -1),
      connection(calls, -1),
      serial(calls, 0),
      message(calls, -1) {}

CallLog CallLog::merged(const std::vector<CallLog>& logs) {
  std::vector<std::pair<const CallLog*, std::size_t>> rows;
  for (const CallLog& log : logs) {
    for (std::size_t row = 0; row < log.size(); ++row) rows.emplace_back(&log, row);
  }
  std::ranges::stable_sort(rows, {}, [](const auto& at) { return at.first->start_ns[at.second]; });

  CallLog all(rows.size());
  const bool words =
      std::ranges::any_of(logs, [](const auto& log) { return !log.results.empty(); });
  if (words) all.keep_results();
  // Which row of `all.connections` a log's connection has.
  std::unordered_map<const CallLog*, std::vector<std::int32_t>> places;
  for (const CallLog& log : logs) places[&log].assign(log.connections.size(), -1);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto& [log, from] = rows[row];
    all.started(row, log->start_ns[from]);
    const std::int64_t end = log->start_ns[from] + log->latency_ns[from];
    if (log->status[from] != 0) {
      all.failed(row, end, log->status[from],
                 log->messages[static_cast<std::size_t>(log->message[from])]);
      continue;
    }
    const CalledPod& who = log->pods[static_cast<std::size_t>(log->pod[from])];
    const std::int32_t by = all.pod_row(who.name, who.ip);
    std::int32_t over = -1;
    if (log->connection[from] >= 0) {
      const auto at = static_cast<std::size_t>(log->connection[from]);
      std::int32_t& place = places[log][at];
      if (place < 0) place = all.add_connection(by, log->connections[at].peer);
      over = place;
    }
    all.answered(row, end, by, over, log->serial[from]);
    if (words) all.results[row] = log->results[from];
  }
  return all;
}

void CallLog::answered(std::size_t row, std::int64_t now_ns, std::int32_t by, std::int32_t over,
                       std::int64_t count) {
  latency_ns[row] = now_ns - start_ns[row];
  pod[row] = by;
  connection[row] = over;
  serial[row] = count;
}

void CallLog::failed(std::size_t row, std::int64_t now_ns, int code, const std::string& text) {
  latency_ns[row] = now_ns - start_ns[row];
  status[row] = code;
  message[row] = row_of(message_rows_, text, [&] {
    messages.push_back(text);
    return static_cast<std::int32_t>(messages.size() - 1);
  });
}

std::int32_t CallLog::pod_row(std::string_view name, std::string_view ip) {
  key_.assign(name).append("\n").append(ip);
  return row_of(pod_rows_, key_, [&] {
    pods.push_back({std::string(name), std::string(ip)});
    return static_cast<std::int32_t>(pods.size() - 1);
  });
}

std::int32_t CallLog::connection_row(std::int32_t by, std::string_view peer) {
  key_.assign(std::to_string(by)).append("\n").append(peer);
  return row_of(connection_rows_, key_, [&] { return add_connection(by, peer); });
}

std::int32_t CallLog::add_connection(std::int32_t by, std::string_view peer) {
  connections.push_back({by, std::string(peer)});
  return static_cast<std::int32_t>(connections.size() - 1);
}

}  // namespace greetlab
