// What an answer says about who gave it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/call_log.h"
#include "greet.pb.h"

namespace greetlab {

struct AnsweringPod {
  std::string_view name;
  std::string_view ip;
};

/// The pod that answered; views into `response`. The article's server tells its pod only in the
/// words of its greeting ("... from pod: name(<pod>), ip(<ip>)."), and is understood, too.
AnsweringPod answering_pod(const greet::GreetingResponse& response);

/// Writes a call's answer into its row, with its words where the log keeps them.
/// @param connection_of (row of `pods`, our end as the pod told it or "") -> row of `connections`,
/// -1
///        = it cannot be known.
template <class ConnectionOf>
void log_answer(CallLog& log, std::size_t row, std::int64_t now_ns,
                const greet::GreetingResponse& response, const ConnectionOf& connection_of) {
  if (!log.results.empty()) log.results[row] = response.result();
  const AnsweringPod by = answering_pod(response);
  const std::int32_t pod = log.pod_row(by.name, by.ip);
  log.answered(row, now_ns, pod, connection_of(pod, response.peer()),
               static_cast<std::int64_t>(response.serial()));
}

}  // namespace greetlab
