#include "greet/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "core/pod_options.h"
#include "flags/parsed_option.h"

namespace greetlab {
namespace {

/// --service-time for `service_time`, and so on.
void add_pod_options(CLI::App& app, PodOptions& options) {
  PodOptions::each(options, [&]<class Value>(std::string name, Value& value, const char* help) {
    std::ranges::replace(name, '_', '-');
    const std::string flag = "--" + name;
    if constexpr (std::is_same_v<Value, Distribution>) {
      add_parsed(app, flag, help, parse_distribution, [&](Distribution parsed) {
        value = parsed;
      })->type_name("TIME");
    } else if constexpr (std::is_same_v<Value, bool>) {
      app.add_flag(flag, value, help);
    } else {
      app.add_option(flag, value, help);
    }
  });
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

  add_pod_options(app, server.serving);
  app.add_option("--error-rate", server.error_rate, "fail this share of greetings as UNAVAILABLE")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", server.seed, "of what is random: service times, errors")
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
