// lab_client: the lab's own channel in the closed loop that native_client drives gRPC's in, with no
// Python around it: what is counted of it is the channel's.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "engine/engine.h"
#include "measurement.h"

namespace greetlab::bench {
namespace {

struct Flags {
  std::string target;
  std::string policy = "round_robin";
  std::size_t backends = 1;
  std::size_t warm_up = 1000;
  std::size_t calls = 10000;
  std::size_t concurrency = 64;
  std::size_t trace_capacity = 0;
  bool frames = false;
};

constexpr Duration kPatience = std::chrono::seconds(60);

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "lab_client: %s\n", why.c_str());
  std::exit(1);
}

// Makes calls. One that fails is not a figure.
std::vector<std::int64_t> call(GreetChannel& channel, std::size_t calls, std::size_t concurrency) {
  const GreetLoad load{
      "Ada", "Lovelace", {calls, concurrency, {}, std::chrono::seconds(60), false}};
  const CallLog log = channel.run(load, [] { return false; });
  for (std::size_t i = 0; i < calls; ++i) {
    if (log.status[i] != 0) fail("a call failed with status " + std::to_string(log.status[i]));
  }
  return {log.latency_ns.begin(), log.latency_ns.end()};
}

void measure(const Flags& flags) {
  const Resident before;
  const auto start = Clock::now();
  ChannelOptions options;
  options.target = flags.target;
  options.policy.policy = flags.policy;
  options.trace_capacity = flags.trace_capacity;
  options.frames = flags.frames;
  const auto channel = open_channel("lab", std::move(options));
  if (channel->wait_ready(true, kPatience, [] { return false; }) != WaitResult::ready) {
    fail("not all of the backends were READY");
  }
  const std::chrono::duration<double> ready = Clock::now() - start;
  if (channel->subchannels().size() != flags.backends) fail("not the backends that were asked for");
  call(*channel, flags.warm_up, flags.concurrency);
  const Measurement measurement;
  measurement.report(
      call(*channel, flags.calls, flags.concurrency),
      {{"ready_seconds", ready.count()},
       {"bytes_per_connection", before.grown() / static_cast<double>(flags.backends)}});
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  greetlab::bench::Flags flags;
  CLI::App app("Calls a greet service through the lab's channel; prints what it took as JSON.");
  app.add_option("--target", flags.target, "ipv4:ip:port,ip:port")->required();
  app.add_option("--policy", flags.policy, "pick_first, round_robin, ...")->capture_default_str();
  app.add_option("--backends", flags.backends, "how many the target has")->capture_default_str();
  app.add_option("--warm-up", flags.warm_up, "calls before those that count");
  app.add_option("--calls", flags.calls, "calls that count")->check(CLI::PositiveNumber);
  app.add_option("--concurrency", flags.concurrency, "calls in flight")->check(CLI::PositiveNumber);
  app.add_option("--trace-capacity", flags.trace_capacity, "how many events its trace keeps");
  app.add_flag("--frames", flags.frames, "every HTTP/2 frame is one of them");
  CLI11_PARSE(app, argc, argv);
  greetlab::bench::measure(flags);
}
