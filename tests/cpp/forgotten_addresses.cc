// A channel whose name has other addresses each time: it forgets those that nobody holds any more.
// Counts the bytes that the process holds, so it is a program of its own.
//
// Ends with 0 if they stay as many, else with 1.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "lb/subchannel.h"

namespace greetlab {
namespace {

// Connects at once, or to nobody and without giving up.
class Scripts final : public Connector {
 public:
  Scripts(Clock& clock, bool connects) : clock_(clock), connects_(connects) {}
  std::unique_ptr<Link> dial(const Dial&, Link::Watcher& watcher) override {
    auto attempt = std::make_unique<Attempt>();
    if (connects_) {
      attempt->connected =
          clock_.at(clock_.now(), [&watcher] { watcher.on_connected(EventId::none); });
    }
    return attempt;
  }

 private:
  struct Attempt final : Link {
    Timer connected;
    ConnectionId id() const override { return ConnectionId::none; }
    void send(SubchannelCall&, Sending) override {}
    std::unique_ptr<Stream> watch_health(const std::string&, HealthWatcher&) override {
      return nullptr;
    }
    std::unique_ptr<Stream> watch_load(Duration, LoadWatcher&) override { return nullptr; }
  };

  Clock& clock_;
  bool connects_;
};

// Says what it is told to say.
class Scripted final : public Resolver {
 public:
  explicit Scripted(Watcher*& watcher) : watcher_(watcher) {}
  void start(Watcher& watcher, EventId) override { watcher_ = &watcher; }
  void refresh(EventId) override {}

 private:
  Watcher*& watcher_;
};

std::size_t bytes() {
  return mallinfo2().uordblks;
}

bool stays_flat(const char* policy, bool connects = false) {
  VirtualClock clock;
  clock.run_until(Time{} + std::chrono::minutes(5));  // what was never heard of is expired by now
  Scripts connector(clock, connects);
  Trace trace(clock);
  Resolver::Watcher* watcher = nullptr;
  ChannelConfig config;
  config.policy.policy = policy;
  Channel channel({clock, connector, trace}, config,
                  [&](Rng&, Symbol) { return std::make_unique<Scripted>(watcher); });
  channel.connect();
  int next = 0;
  const auto lists = [&](int count) {
    for (const int end = next + count; next < end; ++next) {
      Resolution answer;
      const std::string ip = "10." + std::to_string(next / 65536) + "." +
                             std::to_string(next / 256 % 256) + "." + std::to_string(next % 256);
      answer.endpoints = endpoints_of({{ip, 50051}});
      watcher->on_resolution(answer, EventId::none);
      clock.run_until(clock.now());
    }
  };
  lists(1'000);
  const std::size_t before = bytes();
  lists(20'000);
  const std::size_t after = bytes();
  const bool flat = after < before + 16'384 && channel.subchannels().size() == 1;
  std::printf("%s %s: %zu bytes after 1,000 lists, %zu after 21,000, %zu subchannels\n",
              flat ? "ok  " : "FAIL", policy, before, after, channel.subchannels().size());
  return flat;
}

}  // namespace
}  // namespace greetlab

int main() {
  const bool in_turns = greetlab::stays_flat("round_robin");
  const bool first = greetlab::stays_flat("pick_first");
  const bool weighed = greetlab::stays_flat("weighted_round_robin", true);
  return in_turns && first && weighed ? 0 : 1;
}
