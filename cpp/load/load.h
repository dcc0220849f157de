// A client's calls: how many, how many at a time, and what became of each.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/call_log.h"
#include "core/distribution.h"
#include "core/metadata.h"
#include "core/rng.h"
#include "lb/channel.h"

namespace greetlab {

/// What the calls of a load are for.
inline constexpr std::string_view kGreetMethod = "/greet.GreetService/Greet";

struct LoadConfig {
  std::size_t calls = 1;
  /// Closed loop: this many in flight, each followed by the next.
  std::size_t concurrency = 1;
  /// Open loop, where not 0: from one call's start to the next one's, however many are in flight.
  /// An exponential one makes the calls a Poisson process, as those of many independent users are.
  Distribution interval{};
  Duration timeout = std::chrono::seconds(5);
  bool wait_for_ready = false;
  /// Of a random interval.
  std::uint64_t seed = 0;
  Metadata metadata = {};  ///< Of each call.
  /// Not empty: each call also says whose it is, in this header: "1" the first, "2" the next, and
  /// so on up to `keys`, and then again from "1".
  std::string key_header = {};
  std::size_t keys = 0;
};

/// What a load needs of the world that it runs in. The load owns it; what it hands out (the clock,
/// the channels) must outlive the load, and all of it is asked on the clock's thread.
class LoadDriver {
 public:
  virtual ~LoadDriver() = default;

  virtual Clock& clock() = 0;
  /// What a call carries; used again for the next one.
  /// @param metadata outlives it, and may be another before each call.
  virtual std::unique_ptr<SubchannelCall> make_subchannel_call(const Metadata& metadata) = 0;
  /// Writes down who answered, for a call that was OK.
  virtual void answered(CallLog& log, std::size_t row, const CallResult& result,
                        const SubchannelCall& subchannel_call) = 0;
  /// A channel for one call only; nullptr: all of them go through the load's own.
  virtual Channel* open_channel() = 0;
  virtual void close_channel(Channel& channel) = 0;
};

/// Calls through one channel, and what became of each. They go on while the clock does, whether
/// or not anybody still holds the load: until they are over it holds itself. Lives on the clock's
/// thread.
class Load final : public std::enable_shared_from_this<Load> {
 public:
  /// Starts the first calls at once. Whoever closes the channel ends the load.
  /// @param channel may go at any time: what is left of the load ends with CANCELLED then.
  static std::shared_ptr<Load> start(std::unique_ptr<LoadDriver> driver, Channel& channel,
                                     LoadConfig config, CallLog log);

  /// Gives up what is in flight, and what was not started. All of it ends with CANCELLED.
  void cancel();

  /// Starts no more of them; what is in flight goes on. The others end with CANCELLED.
  void stop();

  bool done() const { return ended_ == config_.calls; }
  std::size_t ended() const { return ended_; }
  const CallLog& log() const { return log_; }
  /// Must be asked once the load is done, and only once.
  CallLog take_log() { return std::move(log_); }

 private:
  struct Slot {
    Metadata metadata;
    std::unique_ptr<SubchannelCall> subchannel_call;
    std::size_t row = 0;
    std::optional<CallId> call;      // while it is in flight
    Channel* own_channel = nullptr;  // opened for this call
    Timer hang_up;
  };

  Load(std::unique_ptr<LoadDriver> driver, Channel& channel, LoadConfig config, CallLog log);

  Slot& make_slot();
  void start_call(Slot& slot);
  void on_end(Slot& slot, const CallResult& result);
  void start_by_the_clock();
  void give_up_the_rest();
  std::int64_t now_ns() const;

  const std::unique_ptr<LoadDriver> driver_;
  Channel& channel_;
  const LoadConfig config_;
  Rng rng_;
  CallLog log_;
  std::deque<Slot> slots_;  // a deque never moves what it holds
  std::vector<Slot*> free_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::vector<Slot*> next_call_;  // their call has ended, the next is due
  std::vector<Slot*> following_;  // ... and is being started
  Time due_{};                    // the next one, by the clock
  Timer next_;
  std::shared_ptr<const Task> on_close_;  // of the channel
  std::shared_ptr<Load> self_;            // until it is done
};

}  // namespace greetlab
