// A call that was cancelled after a connection had refused it is not sent again; the next one is.
#include <cstdio>
#include <memory>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "lb/connector.h"
#include "lb/static_resolver.h"
#include "trace/trace.h"

using namespace greetlab;

namespace {

std::vector<Done> sent;

// Connects at once, and answers when we say so.
class Wire final : public Link {
 public:
  Wire(Clock& clock, Watcher& watcher)
      : connected_(clock.at(clock.now(), [&watcher] { watcher.on_connected(EventId::none); })) {}
  ConnectionId id() const override { return static_cast<ConnectionId>(1); }
  void send(SubchannelCall&, Sending what) override { sent.push_back(what.done); }
  std::unique_ptr<Stream> watch_health(const std::string&, HealthWatcher&) override {
    return nullptr;
  }
  std::unique_ptr<Stream> watch_load(Duration, LoadWatcher&) override { return nullptr; }

 private:
  Timer connected_;
};

struct Wires final : Connector {
  explicit Wires(Clock& clock) : clock(clock) {}
  std::unique_ptr<Link> dial(const Dial&, Link::Watcher& watcher) override {
    return std::make_unique<Wire>(clock, watcher);
  }
  Clock& clock;
};

struct Letter final : SubchannelCall {
  void cancel() override {}  // the refusal is on its way already
  std::unique_ptr<SubchannelCall> another() const override { return std::make_unique<Letter>(); }
};

}  // namespace

int main() {
  VirtualClock clock;
  Trace trace(clock);
  Wires wires(clock);
  Letter letter;
  Letter next;  // outlives the channel, which cancels it
  std::vector<Code> ended;
  Channel channel({clock, wires, trace}, {}, [&](Rng&, Symbol) {
    return std::make_unique<StaticResolver>(clock, std::vector{Address{"10.0.0.1", 1}});
  });
  const CallId call = channel.call(
      letter, {}, [&](const CallResult& result) { ended.push_back(result.status.code); });
  while (clock.step()) {
  }
  if (sent.size() != 1) return std::puts("it was not sent"), 2;
  channel.cancel(call);
  sent[0]({{Code::unavailable, "GOAWAY received"}, Symbol::none, true}, EventId::none);
  while (clock.step()) {
  }
  std::printf("sent %zu times, ended %zu times\n", sent.size(), ended.size());
  if (sent.size() != 1 || ended != std::vector{Code::cancelled}) return 1;
  channel.call(next, {}, [&](const CallResult& result) { ended.push_back(result.status.code); });
  while (clock.step()) {
  }
  if (sent.size() != 2) return std::puts("the next one was not sent"), 1;
  const Done refused = sent[1];  // it is sent again at once, and `sent` may move
  refused({{Code::unavailable, "GOAWAY received"}, Symbol::none, true}, EventId::none);
  while (clock.step()) {
  }
  std::printf("the next one was sent %zu times\n", sent.size() - 1);
  return sent.size() == 3 && ended.size() == 1 ? 0 : 1;
}
