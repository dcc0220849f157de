// blocking_client: gRPC's synchronous stub, called by as many threads as asked for, on one channel.
#include <CLI/CLI.hpp>
#include <latch>
#include <thread>

#include "client.h"
#include "greet.grpc.pb.h"

namespace greetlab::bench {
namespace {

struct Flags {
  std::string target;
  std::size_t threads = 1;
  std::size_t warm_up = 1000;
  std::size_t calls = 10000;
};

// @return how long each call took, in nanoseconds.
std::vector<std::int64_t> call(greet::GreetService::Stub& stub, std::size_t calls) {
  const greet::GreetingRequest request = bench::request();
  greet::GreetingResponse response;
  std::vector<std::int64_t> latencies;
  latencies.reserve(calls);
  while (latencies.size() < calls) {
    const auto start = Clock::now();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTimeout);
    response.Clear();
    require_ok(stub.Greet(&context, request, &response));
    latencies.push_back((Clock::now() - start) / std::chrono::nanoseconds(1));
  }
  return latencies;
}

void measure(const Flags& flags) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub = greet::GreetService::NewStub(
      grpc::CreateCustomChannel(flags.target, grpc::InsecureChannelCredentials(), arguments));

  // Everybody is warm before anybody counts.
  const auto threads = static_cast<std::ptrdiff_t>(flags.threads);
  std::latch warm(threads);
  std::latch go(1);
  std::vector<std::vector<std::int64_t>> latencies(flags.threads);
  std::vector<std::thread> callers;
  for (auto& mine : latencies) {
    callers.emplace_back([&] {
      call(*stub, flags.warm_up / flags.threads);
      warm.count_down();
      go.wait();
      mine = call(*stub, flags.calls / flags.threads);
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
  CLI::App app("Calls a greet service through gRPC's sync stub; prints what it took as JSON.");
  app.add_option("--target", flags.target, "ipv4:ip:port")->required();
  app.add_option("--threads", flags.threads, "callers")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", flags.warm_up, "calls before those that count, of all threads");
  app.add_option("--calls", flags.calls, "calls that count, of all threads")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  greetlab::bench::measure(flags);
}
