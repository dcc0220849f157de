#include "channel/greet_channel.h"

#include <chrono>
#include <stdexcept>

namespace greetlab {

WaitResult GreetChannel::wait_for_pods(std::size_t, Duration, const Interrupted&) {
  throw std::invalid_argument(
      "pods: gRPC's own channel cannot be told to look again; the engine 'lab' can");
}

CallLog cancelled_log(const GreetLoad& load) {
  CallLog log = load.make_log();
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  for (std::size_t row = 0; row < log.size(); ++row) {
    log.started(row, now);
    log.failed(row, now, static_cast<int>(Code::cancelled), "not started: the channel was closed");
  }
  return log;
}

}  // namespace greetlab
