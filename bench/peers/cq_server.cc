// cq_server: the greeting on a bare completion queue, polled by one thread, and nothing else: no
// health service, no reflection, no latency, no errors. It can be many backends at once, each a
// port of its own.
#include <CLI/CLI.hpp>
#include <thread>

#include "greet.grpc.pb.h"
#include "server.h"

namespace greetlab::bench {
namespace {

// As many as a burst of the bench has calls in flight.
constexpr int kWaitingCalls = 64;

// One thread serves them all, so this needs no lock.
struct Desk {
  greet::GreetService::AsyncService service;
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::uint64_t serial = 0;
};

// A call is its own tag: it arrives, is answered, and goes.
class Call {
 public:
  explicit Call(Desk& desk) : desk_(desk) {
    desk.service.RequestGreet(&context_, &request_, &writer_, desk.queue.get(), desk.queue.get(),
                              this);
  }

  void proceed(bool ok) {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new Call(desk_);  // the next one may come
    answered_ = true;
    greet::GreetingResponse response;
    answer(request_, context_.peer(), ++desk_.serial, response);
    writer_.Finish(response, grpc::Status::OK, this);
  }

 private:
  Desk& desk_;
  grpc::ServerContext context_;
  greet::GreetingRequest request_;
  grpc::ServerAsyncResponseWriter<greet::GreetingResponse> writer_{&context_};
  bool answered_ = false;
};

void run(Desk& desk) {
  void* tag = nullptr;
  bool ok = false;
  while (desk.queue->Next(&tag, &ok)) static_cast<Call*>(tag)->proceed(ok);
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  using namespace greetlab::bench;
  std::string ip = "127.0.0.1";
  std::size_t backends = 1;
  CLI::App app("A greet server on a bare completion queue, on as many free ports as asked for.");
  app.set_version_flag("--version", grpc::Version());
  app.add_option("--ip", ip, "the address to listen on")->capture_default_str();
  app.add_option("--backends", backends, "how many ports")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  Desk desk;
  std::vector<int> ports(backends);
  grpc::ServerBuilder builder;
  listen(builder, ip, ports);
  // As greet-server has it: its timers cost wake-ups, and greetings are tiny.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.RegisterService(&desk.service);
  desk.queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server) {
    for (int i = 0; i < kWaitingCalls; ++i) new Call(desk);
    std::thread([&] { run(desk); }).detach();
  }
  // Without ceremony: whoever called has gone.
  std::_Exit(serve(server, ip, ports));
}
