// greet-gateway: REST for those who cannot speak gRPC, such as browsers and curl.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/printable.h"
#include "flags/descriptors.h"
#include "flags/parsed_option.h"
#include "gateway/gateway.h"

namespace greetlab {
namespace {

struct Flags {
  GatewayOptions gateway;
  std::string target;
  std::string service;
  std::string pod_namespace;
  std::string host;
  std::uint16_t server_port = 50051;
  std::chrono::milliseconds grace{10'000};
};

void declare(CLI::App& app, Flags& flags) {
  GatewayOptions& gateway = flags.gateway;
  app.set_version_flag("--version", GREETLAB_VERSION);

  app.add_option("--service", flags.service,
                 "the Service of the pods: dns:///SERVICE.NAMESPACE.svc.cluster.local:PORT")
      ->envname("GRPC_SVC");
  app.add_option("--namespace", flags.pod_namespace, "of the Service; default: default")
      ->envname("POD_NAMESPACE");
  app.add_option("--server-host", flags.host, "in place of a Service: dns:///HOST:PORT")
      ->envname("GRPC_SERVER_HOST");
  app.add_option("--server-port", flags.server_port,
                 "the port that is dialled: of a headless Service it is the pods' own")
      ->envname("GRPC_SERVER_PORT")
      ->capture_default_str();
  app.add_option("--target", flags.target, "in place of all these: a target as greet-client has it")
      ->envname("GRPC_TARGET");

  add_engine_flags(
      app, gateway.channel, "GRPC_",
      {"cooldown", "keepalive_time", "keepalive_timeout", "keepalive_without_calls", "idle_timeout",
       "dns_service_config", "kubeconfig", "tls", "ca", "cert", "key", "server_name"});
  add_duration(app, "--deadline", gateway.deadline, "how long each call may take")
      ->envname("GRPC_DEADLINE");

  app.add_option("--listen", gateway.listen.ip, "IP address to listen on")->capture_default_str();
  app.add_option("--port", gateway.listen.port, "port to listen on; 0 = any free one")
      ->envname("GATEWAY_PORT")
      ->capture_default_str();
  app.add_option("--max-connections", gateway.http.connections,
                 "HTTP connections at once; one that idles gives way to a new one")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  add_duration(app, "--patience", gateway.http.patience,
               "how long a client may take to send a request, or to take a response");
  app.add_option("--trace", gateway.trace_capacity,
                 "keep this many of the newest events for GET /trace; 0 = none, and no /trace")
      ->envname("GATEWAY_TRACE")
      ->check(CLI::Range(std::size_t{0}, std::size_t{10'000'000}))
      ->type_name("EVENTS")
      ->capture_default_str();
  add_duration(app, "--grace", flags.grace, "after SIGTERM, how long requests may go on");
}

std::string target_of(const Flags& flags) {
  if (!flags.target.empty()) return flags.target;
  const std::string port = ":" + std::to_string(flags.server_port);
  if (!flags.service.empty()) {
    // A Service's name follows from its own and its namespace's (Kubernetes DNS specification 2.3):
    // there is no need to ask the Kubernetes API for it, nor for the right to.
    const std::string where = flags.pod_namespace.empty() ? "default" : flags.pod_namespace;
    return "dns:///" + flags.service + "." + where + ".svc.cluster.local" + port;
  }
  if (!flags.host.empty()) return "dns:///" + flags.host + port;
  throw std::invalid_argument(
      "whom to ask? Set GRPC_SVC (and POD_NAMESPACE), GRPC_SERVER_HOST, or --target");
}

// What is not an HTTP connection: the loops, the DNS, and a connection to each pod.
constexpr std::size_t kOtherDescriptors = 64;

int run(Flags& flags) {
  const std::size_t descriptors = raise_descriptor_limit();
  if (descriptors < 2 * kOtherDescriptors) {
    throw std::runtime_error("it may have " + std::to_string(descriptors) +
                             " descriptors, and needs " + std::to_string(2 * kOtherDescriptors) +
                             " (ulimit -n)");
  }
  // Those that are turned away are there for a moment, too (HttpServer::admit).
  std::size_t& connections = flags.gateway.http.connections;
  connections = std::min(connections, (descriptors - kOtherDescriptors) / 2);
  flags.gateway.channel.options.target = target_of(flags);
  boost::asio::io_context io{1};
  Gateway gateway(io, flags.gateway);

  boost::asio::steady_timer grace(io);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  const auto drain = [&] {
    grace.expires_after(flags.grace);
    grace.async_wait([&](auto error) {
      if (!error) io.stop();
    });
    gateway.drain([&] { io.stop(); });
    // A second signal, and whatever is under way is cut off.
    signals.async_wait([](auto error, int signal) {
      if (!error) std::_Exit(128 + signal);
    });
  };
  signals.async_wait([&](auto error, int) {
    if (!error) drain();
  });

  std::cout << "greet-gateway: serving on " << to_string(gateway.address()) << ", calling "
            << printable(flags.gateway.channel.options.target) << " ("
            << flags.gateway.channel.options.policy.policy << ")" << std::endl;
  io.run();
  return 0;
}

}  // namespace
}  // namespace greetlab

int main(int argc, char** argv) {
  greetlab::Flags flags;
  CLI::App app(
      "REST in front of a greet service: POST /greet {\"first_name\": ..., \"last_name\": ...}.\n"
      "Also GET /healthz, /readyz, /metrics, /trace. SIGTERM: drains, exits 0. Exit status 1: it\n"
      "could not begin.",
      "greet-gateway");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return "greet-gateway: " + greetlab::printable(error.what()) + " (see greet-gateway --help)\n";
  });
  greetlab::declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return greetlab::run(flags);
  } catch (const std::exception& error) {
    std::cerr << "greet-gateway: " << greetlab::printable(error.what()) << std::endl;
    return 1;
  }
}
