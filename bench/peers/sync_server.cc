// sync_server: the server of gRPC's own tutorial. A thread of gRPC's pool runs each call, and every
// argument has its default.
#include <CLI/CLI.hpp>
#include <atomic>

#include "greet.grpc.pb.h"
#include "server.h"

namespace greetlab::bench {
namespace {

class Greeter final : public greet::GreetService::Service {
 public:
  grpc::Status Greet(grpc::ServerContext* context, const greet::GreetingRequest* request,
                     greet::GreetingResponse* response) override {
    answer(*request, context->peer(), ++serial_, *response);
    return grpc::Status::OK;
  }

 private:
  std::atomic<std::uint64_t> serial_{0};
};

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  std::string ip = "127.0.0.1";
  CLI::App app("A plain synchronous greet server, on a free port.");
  app.add_option("--ip", ip, "the address to listen on")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  greetlab::bench::Greeter greeter;
  std::vector<int> ports(1);
  grpc::ServerBuilder builder;
  greetlab::bench::listen(builder, ip, ports);
  builder.RegisterService(&greeter);
  const auto server = builder.BuildAndStart();
  // Without ceremony: whoever called has gone.
  std::_Exit(greetlab::bench::serve(server, ip, ports));
}
