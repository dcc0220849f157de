// What a channel is made with, in whichever world. Each option and its default stand here and
// nowhere else: Python, the command lines and their help have them from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"
#include "lb/policy.h"

namespace greetlab {

struct ChannelOptions {
  std::string target;
  PolicyConfig policy;
  Duration cooldown = std::chrono::seconds(30);
  bool connection_per_call = false;
  std::string source_ip;
  std::optional<std::uint64_t> seed;
  /// Its name in the trace.
  std::string name = "client-1";
  std::size_t trace_capacity = 1'000'000;
  /// Hears of each event in place of keeping them. Outlives the channel.
  Trace::Listener* listener = nullptr;

  /// Calls `f(name, member, help)` for each that is known by its name.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    // GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS
    f("cooldown", self.cooldown, "least time from one lookup's start to the next one's");
    f("connection_per_call", self.connection_per_call,
      "look up and dial anew for every call, and hang up after it, as the worst of clients do");
    // On loopback all clients would look alike to who goes by it, as sessionAffinity: ClientIP
    // does.
    f("source_ip", self.source_ip, "the address to connect from; empty: the kernel chooses");
    f("seed", self.seed, "of what is random; none: another one each time");
    f("trace_capacity", self.trace_capacity,
      "how many events are kept, 56 bytes each; what comes after them is counted");
  }
};

}  // namespace greetlab
