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
/// @param new_connection it came over a connection of its own, which nobody else used.
void log_answer(CallLog& log, std::size_t row, std::int64_t now_ns,
                const greet::GreetingResponse& response, bool new_connection);

}  // namespace greetlab
