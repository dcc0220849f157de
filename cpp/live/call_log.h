// What became of each call, as columns: one row a call, in the order in which they were started.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "greet.pb.h"

namespace greetlab {

/// A connection as its two ends name it: the pod that answered, and its peer as the pod saw it.
/// While a connection is open nobody else has that pair. Once it is closed the system may give its
/// port to another one (on loopback after one second), so who dials anew for every call has to say
/// so (`answered`): the pair alone cannot tell two of those apart.
struct Connection {
  std::int32_t pod;
  std::string peer;
};

struct CalledPod {
  std::string name;
  std::string ip;
};

class CallLog {
 public:
  /// Columns for `calls` rows, each row as if it had never been started.
  explicit CallLog(std::size_t calls);

  void started(std::size_t row, std::int64_t now_ns) { start_ns[row] = now_ns; }
  /// @param dialled the call had a connection to itself, dialled for it.
  void answered(std::size_t row, std::int64_t now_ns, const greet::GreetingResponse& response,
                bool dialled);
  void failed(std::size_t row, std::int64_t now_ns, int code, const std::string& message);

  std::size_t size() const { return start_ns.size(); }

  /// CLOCK_MONOTONIC, nanoseconds.
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
  std::vector<Connection> connections;
  /// Each different error message once.
  std::vector<std::string> messages;

  void keep_results() { results.resize(size()); }

 private:
  // Row of `key` in a table that grows when the key is new.
  template <class Add>
  static std::int32_t intern(std::unordered_map<std::string, std::int32_t>& rows,
                             const std::string& key, Add add);

  std::unordered_map<std::string, std::int32_t> pod_rows_;
  std::unordered_map<std::string, std::int32_t> connection_rows_;
  std::unordered_map<std::string, std::int32_t> message_rows_;
  std::string key_;  // kept between rows: no allocation a call
};

}  // namespace greetlab
