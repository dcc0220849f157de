// A simulated client's calls.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/call_log.h"
#include "sim/cluster.h"

namespace greetlab {

struct SimLoadConfig {
  std::size_t calls = 1;
  /// Closed loop: this many in flight, each followed by the next.
  std::size_t concurrency = 1;
  /// Open loop, where not 0: a call each so often, however many are in flight.
  Duration interval{};
  Duration timeout = std::chrono::seconds(5);
  bool wait_for_ready = false;
  /// A new channel, like this one, for every call, closed when the call has ended; nothing: all go
  /// through the channel that the load was started on.
  std::optional<SimChannelConfig> dial_anew;
};

/// Calls through one channel, and what became of each. They go on while the clock does, whether
/// or not anybody still holds the load.
class SimLoad final : public std::enable_shared_from_this<SimLoad> {
 public:
  /// Starts the first calls at once. The cluster outlives the load; who closes the channel ends it.
  static std::shared_ptr<SimLoad> start(SimCluster& cluster, Channel& channel,
                                        SimLoadConfig config);

  /// Gives up what is in flight, and what was not started. All of it ends with CANCELLED.
  void cancel();

  bool done() const { return ended_ == config_.calls; }
  std::size_t ended() const { return ended_; }
  const CallLog& log() const { return log_; }

 private:
  struct Slot {
    SimExchange exchange;
    std::size_t row = 0;
    std::optional<CallId> call;      // while it is in flight
    Channel* own_channel = nullptr;  // dial_anew
    Timer hang_up;
  };

  SimLoad(SimCluster& cluster, Channel& channel, SimLoadConfig config);

  void start_call(Slot& slot);
  void on_end(Slot& slot, const CallResult& result);
  void start_by_the_clock();
  void give_up_the_rest();
  std::int64_t now_ns() const;
  std::int32_t pod_row(Symbol pod);
  std::int32_t connection_row(std::int32_t pod, ConnectionId connection);

  SimCluster& cluster_;
  Channel& channel_;
  const SimLoadConfig config_;
  CallLog log_;
  std::deque<Slot> slots_;  // a deque never moves what it holds
  std::vector<Slot*> free_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::vector<std::int32_t> pod_rows_;         // by symbol; -1 = none yet
  std::vector<std::int32_t> connection_rows_;  // by connection; -1 = none yet
  std::vector<Slot*> next_call_;               // their call has ended, the next is due
  Timer next_;
};

}  // namespace greetlab
