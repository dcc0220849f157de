// One thread emits, another one reads, a third switches listening on and off: what ThreadSanitizer
// has to find harmless.
#include <atomic>
#include <cstdio>
#include <thread>

#include "trace/trace.h"

namespace greetlab {
namespace {

class StandingClock final : public Clock {
 public:
  Time now() const override { return Time{}; }

 protected:
  TimerId start(Time, Task) override { return 0; }
  void cancel(TimerId) override {}
};

int run() {
  constexpr std::uint32_t kEvents = 200'000;
  StandingClock clock;
  Trace trace(clock);
  Recording recording(kEvents / 2);  // it overflows, too
  std::atomic<bool> done{false};
  trace.listen(&recording);

  std::thread emitter([&] {
    for (std::uint32_t i = 1; i <= kEvents; ++i) {
      trace.emit(Symbol::none, EventId::none,
                 [&] { return CallStarted{static_cast<CallId>(i), false}; });
    }
    done = true;
  });
  std::thread switcher([&] {
    while (!done) {
      trace.listen(nullptr);
      trace.listen(&recording);
    }
  });
  std::uint32_t broken = 0;
  while (!done) {
    std::uint32_t last = 0;
    for (const Event& event : recording.events()) {
      const auto call = static_cast<std::uint32_t>(std::get<CallStarted>(event.fact).call);
      broken += call <= last;
      last = call;
    }
  }
  emitter.join();
  switcher.join();
  std::printf("%zu kept, %llu dropped, %u broken\n", recording.events().size(),
              static_cast<unsigned long long>(recording.dropped()), broken);
  return broken == 0 && !recording.events().empty() ? 0 : 1;
}

}  // namespace
}  // namespace greetlab

int main() {
  return greetlab::run();
}
