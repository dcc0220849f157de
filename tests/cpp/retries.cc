// Calls that try again, attempt by attempt (gRFC A6): on connections that answer when we say so.
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "lb/connector.h"
#include "lb/static_resolver.h"
#include "trace/trace.h"

using namespace greetlab;
using namespace std::chrono_literals;

namespace {

int failures = 0;

void check(bool holds, const char* what, int line) {
  if (holds) return;
  std::printf("line %d: not true: %s\n", line, what);
  ++failures;
}
#define CHECK(what) check(what, #what, __LINE__)

struct Letter final : SubchannelCall {
  void cancel() override { ++cancelled; }
  std::unique_ptr<SubchannelCall> another() const override {
    ++others;
    return std::make_unique<Letter>();
  }
  static inline int cancelled = 0;
  static inline int others = 0;
};

struct Sent {
  Sending what;
  std::string ip;
  Time at;
};
std::vector<Sent> sent;

class Wire final : public Link {
 public:
  Wire(Clock& clock, const Dial& dial, Watcher& watcher, ConnectionId id)
      : clock_(clock),
        ip_(dial.address.ip),
        id_(id),
        connected_(clock.at(clock.now(), [&watcher] { watcher.on_connected(EventId::none); })) {}
  ConnectionId id() const override { return id_; }
  void send(SubchannelCall&, Sending what) override {
    sent.push_back({std::move(what), ip_, clock_.now()});
  }
  std::unique_ptr<Stream> watch_health(const std::string&, HealthWatcher&) override {
    return nullptr;
  }
  std::unique_ptr<Stream> watch_load(Duration, LoadWatcher&) override { return nullptr; }

 private:
  Clock& clock_;
  const std::string ip_;
  const ConnectionId id_;
  Timer connected_;
};

struct Wires final : Connector {
  Wires(Clock& clock, Trace& trace) : clock(clock), trace(trace) {}
  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override {
    return std::make_unique<Wire>(clock, dial, watcher, trace.next_connection());
  }
  Clock& clock;
  Trace& trace;
};

Codes codes(std::initializer_list<Code> all) {
  Codes set;
  for (const Code code : all) set.set(static_cast<std::size_t>(code));
  return set;
}

ServiceConfig with(RetryPolicy retry) {
  ServiceConfig config;
  config.methods.push_back({.names = {{}}, .retry = std::move(retry)});
  return config;
}
ServiceConfig with(HedgingPolicy hedging) {
  ServiceConfig config;
  config.methods.push_back({.names = {{}}, .hedging = std::move(hedging)});
  return config;
}

RetryPolicy three_times() {
  return {.max_attempts = 3,
          .initial_backoff = 100ms,
          .max_backoff = 1s,
          .backoff_multiplier = 2,
          .retryable = codes({Code::unavailable})};
}

// A channel to three pods, with round_robin.
struct World {
  explicit World(ServiceConfig config) {
    trace.listen(&recording);
    sent.clear();
    Letter::cancelled = 0;
    Letter::others = 0;
    ChannelConfig channel_config;
    channel_config.policy = {.policy = "round_robin"};
    channel_config.service_config = std::make_shared<const ServiceConfig>(std::move(config));
    channel = std::make_unique<Channel>(
        Channel::Ports{clock, wires, trace}, channel_config, [this](Rng&, Symbol) {
          return std::make_unique<StaticResolver>(
              clock,
              std::vector{Address{"10.0.0.1", 1}, Address{"10.0.0.2", 1}, Address{"10.0.0.3", 1}});
        });
    channel->connect();
    settle();
  }

  CallId call(Time deadline = kNever, bool wait_for_ready = false) {
    const CallId id = channel->call(letter, {wait_for_ready, deadline, "/s/m"},
                                    [this](const CallResult& result) { ended.push_back(result); });
    settle();
    return id;
  }
  // The attempt ends so, and what follows at once happens.
  void answer(std::size_t attempt, Outcome outcome) {
    sent.at(attempt).what.done(outcome, EventId::none);
    settle();
  }
  void settle() { clock.run_until(clock.now()); }
  void pass(Duration time) { clock.run_until(clock.now() + time); }

  template <class Fact>
  std::vector<Fact> facts() const {
    std::vector<Fact> found;
    for (const Event& event : recording.events()) {
      if (const Fact* const fact = std::get_if<Fact>(&event.fact)) found.push_back(*fact);
    }
    return found;
  }

  VirtualClock clock;
  Recording recording{10'000};
  Trace trace{clock};
  Wires wires{clock, trace};
  Letter letter;
  std::vector<CallResult> ended;
  std::unique_ptr<Channel> channel;
};

const Outcome kDown{{Code::unavailable, "down"}};
const Outcome kFine{{}};

Outcome begun(Outcome outcome) {
  outcome.begun = true;
  return outcome;
}
Outcome pushed_back(Duration when) {
  Outcome outcome = kDown;
  outcome.pushback = when;
  return outcome;
}

bool about(Duration waited, Duration wanted) {
  return waited >= wanted * 4 / 5 && waited <= wanted * 6 / 5;
}

void a_failure_is_tried_again_elsewhere() {
  World world(with(three_times()));
  world.call();
  CHECK(sent.size() == 1 && sent[0].what.previous_attempts == 0);
  world.answer(0, kDown);
  CHECK(sent.size() == 1);  // it waits first
  world.pass(120ms);
  CHECK(sent.size() == 2 && sent[1].what.previous_attempts == 1 && sent[1].ip != sent[0].ip);
  CHECK(about(sent[1].at - sent[0].at, 100ms));
  world.answer(1, kDown);
  world.pass(240ms);
  CHECK(sent.size() == 3 && sent[2].what.previous_attempts == 2);
  CHECK(about(world.facts<RetryScheduled>()[1].until - (sent[0].at + 120ms), 200ms));
  CHECK(world.ended.empty());
  world.answer(2, kFine);
  CHECK(world.ended.size() == 1 && world.ended[0].status.ok());
  CHECK(world.facts<AttemptEnded>().size() == 2 && world.facts<RetryScheduled>().size() == 2);
  CHECK(world.facts<AttemptEnded>()[1].attempt == 2 &&
        world.facts<RetryScheduled>()[0].attempt == 2);
  CHECK(Letter::others == 0);
}

void the_last_attempt_says_how_it_ended() {
  World world(with(three_times()));
  world.call();
  for (std::size_t i = 0; i < 3; ++i) {
    world.answer(i, {{Code::unavailable, "down " + std::to_string(i + 1)}});
    world.pass(2s);
  }
  CHECK(sent.size() == 3);
  CHECK(world.ended.size() == 1 && world.ended[0].status.message == "down 3");
  CHECK(world.facts<RetryRefused>().size() == 1);
  CHECK(world.facts<CallEnded>()[0].connection != ConnectionId::none);
}

void more_than_five_attempts_are_five() {
  RetryPolicy often = three_times();
  often.max_attempts = 50;
  World world(with(often));
  world.call();
  for (std::size_t i = 0; i < sent.size(); ++i) {
    world.answer(i, kDown);
    world.pass(2s);
  }
  CHECK(sent.size() == 5 && world.ended.size() == 1);
}

void the_backoff_grows_to_its_most() {
  RetryPolicy slow = three_times();
  slow.max_attempts = 5;
  slow.max_backoff = 150ms;
  World world(with(slow));
  world.call();
  for (std::size_t i = 0; i < 4; ++i) {
    const Time failed = world.clock.now();
    world.answer(i, kDown);
    const Time until = world.facts<RetryScheduled>().at(i).until;
    CHECK(about(until - failed, i == 0 ? 100ms : 150ms));
    world.pass(1s);
  }
}

void two_backoffs_differ() {
  World world(with(three_times()));
  world.call();
  world.call();
  world.answer(0, kDown);
  world.answer(1, kDown);
  const auto scheduled = world.facts<RetryScheduled>();
  CHECK(scheduled.size() == 2 && scheduled[0].until != scheduled[1].until);
}

void other_codes_are_final() {
  World world(with(three_times()));
  world.call();
  world.answer(0, {{Code::internal, "no"}});
  CHECK(world.ended.size() == 1 && sent.size() == 1);
  CHECK(world.facts<RetryRefused>().empty() && world.facts<AttemptEnded>().empty());
}

void who_has_begun_to_answer_is_not_asked_again() {
  World world(with(three_times()));
  world.call();
  world.answer(0, begun(kDown));
  CHECK(world.ended.size() == 1 && world.ended[0].status.code == Code::unavailable);
  CHECK(world.facts<RetryRefused>().size() == 1);
}

void the_server_says_when() {
  World world(with(three_times()));
  world.call();
  world.answer(0, kDown);
  world.pass(130ms);
  world.answer(1, pushed_back(3s));
  world.pass(3s - 1ns);
  CHECK(sent.size() == 2);
  world.pass(1ns);
  CHECK(sent.size() == 3);
  CHECK(world.facts<RetryScheduled>()[1].pushback && !world.facts<RetryScheduled>()[0].pushback);
}

void the_backoff_begins_anew_after_the_servers_word() {
  RetryPolicy often = three_times();
  often.max_attempts = 5;
  World world(with(often));
  world.call();
  world.answer(0, kDown);
  world.pass(1s);
  world.answer(1, pushed_back(0ms));
  CHECK(sent.size() == 3);
  world.answer(2, kDown);
  CHECK(about(world.facts<RetryScheduled>().at(2).until - world.clock.now(), 100ms));
}

void the_server_says_never() {
  World world(with(three_times()));
  world.call();
  world.answer(0, pushed_back(-1ms));
  CHECK(world.ended.size() == 1 && sent.size() == 1);
  CHECK(world.facts<RetryRefused>().size() == 1);
}

void unseen_attempts_are_not_counted() {
  World world(with(three_times()));
  world.call();
  Outcome unsent = kDown;
  unsent.unsent = true;
  world.answer(0, unsent);
  CHECK(sent.size() == 2 && sent[1].what.previous_attempts == 0);  // at once
  CHECK(world.facts<CallUnsent>().size() == 1 && world.facts<AttemptEnded>().empty());
  for (std::size_t i = 1; i < 4; ++i) {
    world.answer(i, kDown);
    world.pass(2s);
  }
  CHECK(sent.size() == 4 && world.ended.size() == 1);
}

void what_is_unsent_for_ever_is_a_failure() {
  World world(with(three_times()));
  world.call();
  Outcome unsent = kDown;
  unsent.unsent = true;
  for (std::size_t i = 0; i <= Channel::kTransparentRetries; ++i) world.answer(i, unsent);
  CHECK(world.facts<RetryScheduled>().size() == 1 && world.ended.empty());
}

void the_deadline_is_the_calls() {
  World world(with(three_times()));
  world.call(world.clock.now() + 150ms);
  world.answer(0, kDown);
  world.pass(120ms);
  CHECK(sent.size() == 2 && sent[1].what.deadline == sent[0].what.deadline);
  world.answer(1, kDown);  // and the next one would be after it
  world.pass(29ms);
  CHECK(world.ended.empty());
  world.pass(1ms);
  CHECK(world.ended.size() == 1 && world.ended[0].status.code == Code::deadline_exceeded);
  world.pass(10s);
  CHECK(sent.size() == 2 && world.ended.size() == 1);
}

void what_the_deadline_ends_is_over() {
  RetryPolicy late = three_times();
  late.retryable = codes({Code::deadline_exceeded});
  World world(with(late));
  world.call(world.clock.now() + 50ms);
  world.pass(50ms);
  world.answer(0, {{Code::deadline_exceeded, "late"}});
  CHECK(world.ended.size() == 1);
}

void the_config_may_set_a_shorter_deadline() {
  ServiceConfig config;
  config.methods.push_back({.names = {{"s", "m"}}, .timeout = 30ms});
  config.methods.push_back({.names = {{"s", "other"}}, .timeout = 1ms});
  World world(config);
  const Time now = world.clock.now();
  world.call();
  world.call(now + 10ms);
  CHECK(sent.at(0).what.deadline == now + 30ms && sent.at(1).what.deadline == now + 10ms);
}

void a_cancelled_call_is_not_tried_again() {
  World world(with(three_times()));
  const CallId waits = world.call();
  const CallId flies = world.call();
  world.answer(0, kDown);
  world.channel->cancel(waits);
  world.channel->cancel(flies);
  CHECK(world.ended.size() == 2 && world.ended[0].status.code == Code::cancelled &&
        world.ended[1].status.code == Code::cancelled);
  CHECK(Letter::cancelled == 1);
  world.pass(10s);
  CHECK(sent.size() == 2 && world.ended.size() == 2);
}

void failures_cost_tokens() {
  ServiceConfig config = with(three_times());
  config.throttling = RetryThrottling{.max_milli_tokens = 4000, .milli_ratio = 500};
  World world(config);
  world.call();
  world.answer(0, kDown);  // 3 are left: more than half
  world.pass(2s);
  CHECK(sent.size() == 2);
  world.answer(1, kDown);  // 2: no
  world.pass(2s);
  CHECK(sent.size() == 2 && world.ended.size() == 1);
  CHECK(world.facts<RetryRefused>().size() == 1);
  world.call();
  world.answer(2, {{Code::internal, "final"}});  // neither takes nor gives
  world.call();
  world.answer(3, kFine);  // 2.5
  auto tokens = world.facts<RetryTokens>();
  CHECK(tokens.size() == 3 && tokens[0].tokens == 3000 && tokens[1].tokens == 2000 &&
        tokens[2].tokens == 2500 && tokens[2].most == 4000);
  world.call();
  world.answer(4, kDown);  // 1.5
  const auto refused = world.facts<RetryRefused>();
  CHECK(world.trace.symbols()
            .word(refused.at(1).reason)
            .starts_with("too much has failed: 1.5 of 4 retry tokens are left"));
  for (int i = 0; i < 10; ++i) {
    world.call();
    world.answer(sent.size() - 1, kFine);
  }
  tokens = world.facts<RetryTokens>();
  CHECK(tokens.back().tokens == 4000 && tokens.size() == 9);  // full: it stays so
}

HedgingPolicy every_100ms() {
  return {.max_attempts = 3, .delay = 100ms, .non_fatal = codes({Code::unavailable})};
}

void a_slow_call_is_hedged() {
  World world(with(every_100ms()));
  world.call();
  world.pass(100ms - 1ns);
  CHECK(sent.size() == 1);
  world.pass(1ns);
  CHECK(sent.size() == 2 && sent[1].what.previous_attempts == 1 && sent[1].ip != sent[0].ip);
  world.pass(1s);
  CHECK(sent.size() == 3 && Letter::others == 2 && world.facts<HedgeStarted>().size() == 2);
  world.answer(1, kFine);
  CHECK(world.ended.size() == 1 && world.ended[0].status.ok());
  CHECK(world.ended[0].answered != &world.letter && world.ended[0].answered != nullptr);
  CHECK(Letter::cancelled == 2);  // the others are given up
  CHECK(world.facts<AttemptEnded>().size() == 2);
  world.answer(0, kFine);  // too late
  world.answer(2, kFine);
  CHECK(world.ended.size() == 1);
}

void a_failure_sends_the_next_at_once() {
  World world(with(every_100ms()));
  world.call();
  world.answer(0, kDown);
  CHECK(sent.size() == 2 && world.ended.empty());
  world.answer(1, kDown);
  CHECK(sent.size() == 3 && world.ended.empty());
  world.answer(2, kDown);
  CHECK(world.ended.size() == 1 && world.ended[0].status.code == Code::unavailable);
}

void a_fatal_code_ends_it() {
  World world(with(every_100ms()));
  world.call();
  world.pass(150ms);
  world.answer(1, {{Code::internal, "no"}});
  CHECK(world.ended.size() == 1 && Letter::cancelled == 1);
  world.pass(10s);
  CHECK(sent.size() == 2);
}

void all_at_once_without_a_delay() {
  HedgingPolicy all = every_100ms();
  all.delay = {};
  World world(with(all));
  world.call();
  CHECK(sent.size() == 3);
  world.answer(0, kDown);
  world.answer(1, kDown);
  CHECK(world.ended.empty());
  world.answer(2, kFine);
  CHECK(world.ended.size() == 1 && world.ended[0].status.ok());
}

void the_server_says_when_to_hedge() {
  World world(with(every_100ms()));
  world.call();
  world.answer(0, pushed_back(250ms));
  world.pass(250ms - 1ns);
  CHECK(sent.size() == 1 && world.ended.empty());
  world.pass(1ns);
  CHECK(sent.size() == 2);
  world.answer(1, pushed_back(-1ms));
  CHECK(world.ended.size() == 1);
  world.pass(10s);
  CHECK(sent.size() == 2);
}

void the_tokens_stop_hedges() {
  ServiceConfig config = with(every_100ms());
  config.throttling = RetryThrottling{.max_milli_tokens = 2000, .milli_ratio = 1000};
  World world(config);
  world.call();
  world.pass(100ms);
  CHECK(sent.size() == 2);
  world.answer(0, kDown);  // 1 of 2: no other one
  world.pass(10s);
  CHECK(sent.size() == 2 && world.ended.empty());
  world.answer(1, kDown);
  CHECK(world.ended.size() == 1);
  world.call();
  world.pass(10s);
  CHECK(sent.size() == 3);  // nor for the next call
}

void a_hedged_call_is_given_up_whole() {
  World world(with(every_100ms()));
  const CallId id = world.call();
  world.pass(100ms);
  world.channel->cancel(id);
  CHECK(world.ended.size() == 1 && Letter::cancelled == 2);
  world.call();
  world.pass(100ms);
  world.channel.reset();
  CHECK(world.ended.size() == 2 && Letter::cancelled == 4);
}

void new_tokens_are_as_full_as_the_old_ones() {
  const RetryThrottling ten{.max_milli_tokens = 10'000, .milli_ratio = 100};
  RetryThrottle before(ten);
  for (int i = 0; i < 4; ++i) before.take();
  CHECK(before.tokens() == 6000);
  CHECK(RetryThrottle({.max_milli_tokens = 5000, .milli_ratio = 100}, &before).tokens() == 3000);
  CHECK(RetryThrottle(ten).tokens() == 10'000);
  for (int i = 0; i < 9; ++i) before.take();
  CHECK(before.tokens() == 0 && !before.allows());
}

void who_fits_a_method_best() {
  ServiceConfig config;
  config.methods.push_back({.names = {{}}, .timeout = 1ms});
  config.methods.push_back({.names = {{"a.S", ""}}, .timeout = 2ms});
  config.methods.push_back({.names = {{"a.S", "M"}, {"a.T", "M"}}, .timeout = 3ms});
  CHECK(*config.method("/a.S/M")->timeout == 3ms);
  CHECK(*config.method("/a.S/N")->timeout == 2ms);
  CHECK(*config.method("/a.T/M")->timeout == 3ms);
  CHECK(*config.method("/a.T/N")->timeout == 1ms);
  CHECK(*config.method("")->timeout == 1ms);
  CHECK(ServiceConfig{}.method("/a.S/M") == nullptr);
  config.methods.erase(config.methods.begin());
  CHECK(config.method("/a.T/N") == nullptr);
}

}  // namespace

int main() {
  a_failure_is_tried_again_elsewhere();
  the_last_attempt_says_how_it_ended();
  more_than_five_attempts_are_five();
  the_backoff_grows_to_its_most();
  two_backoffs_differ();
  other_codes_are_final();
  who_has_begun_to_answer_is_not_asked_again();
  the_server_says_when();
  the_backoff_begins_anew_after_the_servers_word();
  the_server_says_never();
  unseen_attempts_are_not_counted();
  what_is_unsent_for_ever_is_a_failure();
  the_deadline_is_the_calls();
  what_the_deadline_ends_is_over();
  the_config_may_set_a_shorter_deadline();
  a_cancelled_call_is_not_tried_again();
  failures_cost_tokens();
  a_slow_call_is_hedged();
  a_failure_sends_the_next_at_once();
  a_fatal_code_ends_it();
  all_at_once_without_a_delay();
  the_server_says_when_to_hedge();
  the_tokens_stop_hedges();
  a_hedged_call_is_given_up_whole();
  new_tokens_are_as_full_as_the_old_ones();
  who_fits_a_method_best();
  std::printf("%d broken\n", failures);
  return failures == 0 ? 0 : 1;
}
