#include "greet/flags.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include "core/duration.h"
#include "flags/parsed_option.h"

namespace greetlab {
namespace {

// "20ms", or "5ms..20ms" for a uniform draw between the two.
Latency parse_latency(const std::string& text) {
  const auto dots = text.find("..");
  if (dots == std::string::npos) return {parse_duration(text), {}};
  const Latency latency{parse_duration(text.substr(0, dots)),
                        parse_duration(text.substr(dots + 2))};
  if (latency.most < latency.least) {
    throw std::invalid_argument("latency '" + text + "': the first is above the second");
  }
  return latency;
}

}  // namespace

void declare(CLI::App& app, GreetServerFlags& flags) {
  GreetServerOptions& server = flags.server;
  app.set_version_flag("--version", GREETLAB_VERSION);
  app.add_option("--listen", server.listen, "IP address to listen on, or one of each family")
      ->type_name("IP")
      ->capture_default_str();
  app.add_option("--port", server.port, "port to listen on; 0 = any free one")
      ->envname("GRPC_PORT")
      ->capture_default_str();
  app.add_option("--pod-name", server.pod.name, "who answers")->envname("POD_NAME");
  app.add_option("--pod-ip", server.pod.ip, "from which address")->envname("POD_IP");

  add_duration(app, "--max-connection-age", server.max_connection_age,
               "GOAWAY for connections older than this, +-10 % (gRFC A9); default: never");
  add_duration(app, "--max-connection-age-grace", server.max_connection_age_grace,
               "how long calls on such a connection may go on; default: for ever");
  app.add_option("--max-concurrent-streams", server.max_concurrent_streams,
                 "how many calls at once on a connection; more of them wait at the client")
      ->check(CLI::Range(1u, std::numeric_limits<std::uint32_t>::max() / 2))
      ->capture_default_str();

  app.add_option("--tls-cert", server.tls_cert,
                 "speak TLS, with this certificate and its chain (PEM); default: without TLS")
      ->type_name("FILE");
  app.add_option("--tls-key", server.tls_key, "the certificate's private key (PEM)")
      ->type_name("FILE");
  app.add_option(
         "--tls-client-ca", server.tls_client_ca,
         "take only clients that show a certificate of one of these authorities (PEM): mTLS")
      ->type_name("FILE");

  add_parsed(app, "--latency", "wait before each answer: 20ms, or 5ms..20ms for a uniform draw",
             parse_latency, [&](Latency value) { server.latency = value; })
      ->type_name("DURATION[..DURATION]");
  app.add_option("--error-rate", server.error_rate, "fail this share of greetings as UNAVAILABLE")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", server.seed, "of the random draws of latency and errors")
      ->capture_default_str();

  app.add_option("--control", server.control,
                 "serve control.proto on this unix socket; @NAME: an abstract one, without a file")
      ->type_name("PATH");
  app.add_option("--lifeline", flags.lifeline,
                 "exit when this inherited descriptor reaches its end: the parent is gone")
      ->type_name("FD");
  add_duration(app, "--grace", flags.grace, "after SIGTERM, how long calls may go on");
}

}  // namespace greetlab
