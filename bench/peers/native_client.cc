// native_client: gRPC's own channel and policy, driven as well as we know how: one thread, a closed
// loop on one completion queue, and completions taken in batches, as cpp/live drives it too.
#include <CLI/CLI.hpp>
#include <optional>
#include <unordered_set>

#include "client.h"
#include "greet.grpc.pb.h"
#include "rpc/mutex_checks.h"

namespace greetlab::bench {
namespace {

constexpr std::size_t kBatch = 64;

struct Flags {
  std::string target;
  std::string policy = "round_robin";
  bool tuned = false;
  std::size_t backends = 1;
  std::size_t warm_up = 1000;
  std::size_t calls = 10000;
  std::size_t concurrency = 64;
};

std::shared_ptr<grpc::Channel> dial(const Flags& flags) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(R"({"loadBalancingConfig":[{")" + flags.policy + R"(":{}}]})");
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // gRPC's default is the whole list of addresses: too long for a header when there are hundreds.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "greetserver");
  if (flags.tuned) {  // what our own channel does: see cpp/live/connector.cc
    skip_mutex_checks();
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1);  // MINIMAL_STACK has none
  }
  return grpc::CreateCustomChannel(flags.target, grpc::InsecureChannelCredentials(), arguments);
}

// A call in flight. Used again for the next one when it has ended.
struct Slot {
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<greet::GreetingResponse>> reader;
  greet::GreetingResponse response;
  grpc::Status status;
  Clock::time_point start;
  Clock::time_point end;
};

class ClosedLoop {
 public:
  explicit ClosedLoop(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(greet::GreetService::NewStub(channel)) {}

  /// Makes `calls` calls, `concurrency` of them in flight.
  /// @return how long each took, in nanoseconds, in the order in which they ended.
  /// @param peers where it is given, what each pod said was our end of the connection.
  std::vector<std::int64_t> run(std::size_t calls, std::size_t concurrency,
                                std::vector<std::string>* peers = nullptr) {
    std::vector<std::int64_t> latencies;
    latencies.reserve(calls);
    std::vector<Slot> slots(std::min(concurrency, calls));
    std::vector<Slot*> finished;
    std::size_t to_start = calls;
    for (Slot& slot : slots) {
      start(slot);
      --to_start;
    }
    while (latencies.size() < calls) {
      void* tag = nullptr;
      bool ok = false;
      finished.clear();
      gpr_timespec until = gpr_inf_future(GPR_CLOCK_MONOTONIC);
      while (finished.size() < kBatch &&
             queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
        finished.push_back(static_cast<Slot*>(tag));
        finished.back()->end = Clock::now();
        until = gpr_inf_past(GPR_CLOCK_MONOTONIC);
      }
      for (const Slot* slot : finished) {
        require_ok(slot->status);
        latencies.push_back((slot->end - slot->start) / std::chrono::nanoseconds(1));
        if (peers) peers->push_back(slot->response.peer());
      }
      for (Slot* slot : finished) {
        if (to_start == 0) break;
        start(*slot);
        --to_start;
      }
    }
    return latencies;
  }

 private:
  void start(Slot& slot) {
    slot.context.emplace();
    slot.context->set_deadline(std::chrono::system_clock::now() + kTimeout);
    slot.response.Clear();
    slot.start = Clock::now();
    slot.reader = stub_->AsyncGreet(&*slot.context, request_, &queue_);
    slot.reader->Finish(&slot.response, &slot.status, &slot);
  }

  const std::unique_ptr<greet::GreetService::Stub> stub_;
  const greet::GreetingRequest request_ = request();
  grpc::CompletionQueue queue_;
};

// Whether every backend is in the picker; before that it is another, smaller channel. Then calls
// that are made one at a time go round, and their turns repeat after `backends` calls and no
// sooner. (To count the peers would not do: connections to two backends may have the same port of
// ours.)
bool all_take_turns(ClosedLoop& loop, std::size_t backends) {
  std::vector<std::string> peers;
  loop.run(2 * backends, 1, &peers);
  const auto half = peers.begin() + static_cast<std::ptrdiff_t>(backends);
  const std::unordered_set<std::string> different(peers.begin(), half);
  return std::equal(peers.begin(), half, half) && 2 * different.size() > backends;
}

int measure(const Flags& flags) {
  const Resident before;
  ClosedLoop loop(dial(flags));
  const auto patience = Clock::now() + std::chrono::seconds(60);
  while (!all_take_turns(loop, flags.backends)) {
    if (Clock::now() > patience) {
      std::fprintf(stderr, "native_client: not all of %zu backends took turns within 60 s\n",
                   flags.backends);
      return 1;
    }
  }
  loop.run(flags.warm_up, flags.concurrency);
  const Measurement measurement;
  measurement.report(
      loop.run(flags.calls, flags.concurrency),
      {{"bytes_per_connection", before.grown() / static_cast<double>(flags.backends)}});
  return 0;
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  greetlab::bench::Flags flags;
  CLI::App app("Calls a greet service through gRPC's own channel; prints what it took as JSON.");
  app.add_option("--target", flags.target, "ipv4:ip:port,ip:port")->required();
  app.add_option("--policy", flags.policy, "pick_first or round_robin")->capture_default_str();
  app.add_flag("--tuned", flags.tuned, "as our own channel is tuned");
  app.add_option("--backends", flags.backends, "how many the target has")->capture_default_str();
  app.add_option("--warm-up", flags.warm_up, "calls before those that count");
  app.add_option("--calls", flags.calls, "calls that count")->check(CLI::PositiveNumber);
  app.add_option("--concurrency", flags.concurrency, "calls in flight")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return greetlab::bench::measure(flags);
}
