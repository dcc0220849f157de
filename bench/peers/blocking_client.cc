// blocking_client: as many threads as asked for, each of which waits for every answer, on one
// channel: gRPC's synchronous stub, or the lab's channel, a call at a time.
#include <CLI/CLI.hpp>
#include <functional>
#include <latch>
#include <thread>

#include "client.h"
#include "engine/engine.h"
#include "greet.grpc.pb.h"

namespace greetlab::bench {
namespace {

struct Flags {
  std::string target;
  std::string engine = "grpc";
  std::size_t threads = 1;
  std::size_t warm_up = 1000;
  std::size_t calls = 10000;
};

// Makes one call and waits for its answer.
using Greet = std::function<void()>;

// For each thread its own.
using MakeGreet = std::function<Greet()>;

MakeGreet through_the_stub(const Flags& flags) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const std::shared_ptr<greet::GreetService::Stub> stub = greet::GreetService::NewStub(
      grpc::CreateCustomChannel(flags.target, grpc::InsecureChannelCredentials(), arguments));
  return [stub] {
    return [stub, request = bench::request(), response = greet::GreetingResponse()]() mutable {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kTimeout);
      response.Clear();
      require_ok(stub->Greet(&context, request, &response));
    };
  };
}

MakeGreet through_the_lab(const Flags& flags) {
  ChannelOptions options;
  options.target = flags.target;
  options.trace_capacity = 0;
  const auto channel = open_channel("lab", std::move(options));
  return [channel] {
    const greet::Greeting who = bench::request().greeting();
    const GreetLoad load{who.first_name(), who.last_name(), {}, false};
    return [channel, load] {
      const CallLog log = channel->run(load, [] { return false; });
      require_ok(grpc::Status(static_cast<grpc::StatusCode>(log.status[0]),
                              log.messages.empty() ? "" : log.messages[0]));
    };
  };
}

// @return how long each call took, in nanoseconds.
std::vector<std::int64_t> call(const Greet& greet, std::size_t calls) {
  std::vector<std::int64_t> latencies;
  latencies.reserve(calls);
  while (latencies.size() < calls) {
    const auto start = Clock::now();
    greet();
    latencies.push_back((Clock::now() - start) / std::chrono::nanoseconds(1));
  }
  return latencies;
}

void measure(const Flags& flags) {
  const MakeGreet make_greet =
      flags.engine == "lab" ? through_the_lab(flags) : through_the_stub(flags);

  // Everybody is warm before anybody counts.
  const auto threads = static_cast<std::ptrdiff_t>(flags.threads);
  std::latch warm(threads);
  std::latch go(1);
  std::vector<std::vector<std::int64_t>> latencies(flags.threads);
  std::vector<std::thread> callers;
  for (auto& mine : latencies) {
    callers.emplace_back([&] {
      const Greet greet = make_greet();
      call(greet, flags.warm_up / flags.threads);
      warm.count_down();
      go.wait();
      mine = call(greet, flags.calls / flags.threads);
    });
  }
  warm.wait();
  const Measurement measurement;
  go.count_down();
  for (std::thread& caller : callers) caller.join();
  std::vector<std::int64_t> all;
  for (const auto& mine : latencies) all.insert(all.end(), mine.begin(), mine.end());
  measurement.report(std::move(all));
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  greetlab::bench::Flags flags;
  CLI::App app("Calls a greet service and waits for each answer; prints what it took as JSON.");
  app.add_option("--target", flags.target, "ipv4:ip:port")->required();
  app.add_option("--engine", flags.engine, "grpc: the sync stub; lab: the lab's channel")
      ->check(CLI::IsMember({"grpc", "lab"}));
  app.add_option("--threads", flags.threads, "callers")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", flags.warm_up, "calls before those that count, of all threads");
  app.add_option("--calls", flags.calls, "calls that count, of all threads")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  greetlab::bench::measure(flags);
}
