// What became of each call, as columns: one row a call, in the order in which they were started.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace greetlab {

/// A pod that answered.
struct CalledPod {
  std::string name;
  std::string ip;
};

/// A connection as its two ends name it: the pod that answered, and its peer as the pod saw it.
/// While a connection is open nobody else has that pair. Once it is closed the system may give its
/// port to another one (on loopback after one second), so who dials anew for every call must not
/// look for the pair but add a connection for each (`add_connection`).
struct CalledConnection {
  std::int32_t pod;
  std::string peer;
};

class CallLog;

/// Which row of a log's `connections` a connection of the trace has: for who knows its connections
/// himself, and need not go by their peers.
class ConnectionRows {
 public:
  /// The row; a new one if it has none yet.
  /// @param connection its number in the trace, more than 0.
  /// @param peer our end, as the pod told it; "" if it does not tell: then it is made up of the
  ///        number.
  std::int32_t row(CallLog& log, std::uint32_t connection, std::int32_t by, std::string_view peer);

 private:
  std::vector<std::int32_t> rows_;  // by number, from the first one seen on
  std::uint32_t first_ = 0;
};

class CallLog {
 public:
  /// Columns for `calls` rows, each row as if it had never been started.
  explicit CallLog(std::size_t calls);

  /// The rows of several clients' logs as one client's, in the order in which they were started.
  /// Each log's connections are its own: those of two have nothing to do with each other.
  static CallLog merged(const std::vector<CallLog>& logs);

  void started(std::size_t row, std::int64_t now_ns) { start_ns[row] = now_ns; }
  /// @param by, over rows of `pods` and `connections`; -1 = not known.
  void answered(std::size_t row, std::int64_t now_ns, std::int32_t by, std::int32_t over,
                std::int64_t count);
  void failed(std::size_t row, std::int64_t now_ns, int code, const std::string& text);

  /// The row of a pod or of a connection; a new one if it has none yet.
  std::int32_t pod_row(std::string_view name, std::string_view ip);
  std::int32_t connection_row(std::int32_t by, std::string_view peer);
  /// A new connection, whatever its peer.
  std::int32_t add_connection(std::int32_t by, std::string_view peer);

  std::size_t size() const { return start_ns.size(); }

  /// CLOCK_MONOTONIC, or the virtual world's time; nanoseconds.
  std::vector<std::int64_t> start_ns;
  /// From the start of the call until its end, nanoseconds.
  std::vector<std::int64_t> latency_ns;
  /// gRPC status code; 0 = OK.
  std::vector<std::int32_t> status;
  /// Row of `pods`; -1 = no pod answered.
  std::vector<std::int32_t> pod;
  /// Row of `connections`; -1 = unknown: the call failed, or the server does not tell the peer (the
  /// article's server does not).
  std::vector<std::int32_t> connection;
  /// The pod's own count of its greetings; 0 = not told.
  std::vector<std::int64_t> serial;
  /// Row of `messages`; -1 = the call was OK.
  std::vector<std::int32_t> message;
  /// The greeting in words; empty where the call failed. Filled only after `keep_results`.
  std::vector<std::string> results;

  /// In the order in which they first answered.
  std::vector<CalledPod> pods;
  std::vector<CalledConnection> connections;
  /// Each different error message once.
  std::vector<std::string> messages;

  void keep_results() { results.resize(size()); }

 private:
  using Rows = std::unordered_map<std::string, std::int32_t>;

  Rows pod_rows_;
  Rows connection_rows_;
  Rows message_rows_;
  std::string key_;  // kept between rows: no allocation a call
};

}  // namespace greetlab
