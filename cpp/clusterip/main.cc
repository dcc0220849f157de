// clusterip: the proxy as a process, commanded on standard input, reporting on standard output.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "clusterip/command.h"
#include "clusterip/fact_writer.h"
#include "clusterip/proxy.h"
#include "core/address.h"
#include "core/printable.h"
#include "flags/descriptors.h"
#include "flags/parsed_option.h"

using namespace greetlab;

namespace {

constexpr const char* kDescription =
    "A ClusterIP in user space: each connection to the virtual address goes to one endpoint,\n"
    "chosen at random, and stays there, as with kube-proxy.";

constexpr const char* kProtocol =
    "Commands on standard input, one a line:\n"
    "  endpoints IP:PORT,IP:PORT   new connections choose among these\n"
    "  endpoints                   there is none: new connections are reset\n"
    "End of input ends the process, so a parent that dies takes its proxy along.\n"
    "\n"
    "Facts on standard output, one JSON object a line; time_ns is CLOCK_MONOTONIC:\n"
    "  listening  address\n"
    "  endpoints  endpoints: the command is in force\n"
    "  opened     id, source (the client), endpoint (the pod), upstream (whom the pod sees)\n"
    "  failed     id, source, endpoint or null, reason\n"
    "  closed     id, bytes_up, bytes_down, by (client or endpoint), reset\n"
    "  dropped    count: so many facts are missing here, because nobody read them in time";

/// What was wrong with a command may hold all of it, however long that is.
std::string in_short(std::string text) {
  constexpr std::size_t kMost = 300;
  if (text.size() <= kMost) return text;
  const std::string size = std::to_string(text.size());
  text.resize(kMost);
  return text + "... (" + size + " bytes)";
}

/// Nothing to save: the kernel cuts the connections.
void leave_at_once(int) {
  _exit(EXIT_SUCCESS);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, leave_at_once);
  std::signal(SIGTERM, leave_at_once);
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();  // a connection takes two

  CLI::App app(kDescription, "clusterip");
  app.footer(kProtocol);
  app.set_version_flag("--version", GREETLAB_VERSION);
  std::string listen, endpoints;
  std::uint64_t seed = std::random_device{}();
  app.add_option("--listen", listen, "The virtual address")->type_name("IP:PORT")->required();
  app.add_option("--endpoints", endpoints, "The pods to begin with (none if not given)")
      ->type_name("IP:PORT,...");
  app.add_option("--seed", seed, "The same seed makes the same choices (random if not given)")
      ->type_name("NUMBER");
  std::optional<Duration> affinity;
  add_duration(app, "--session-affinity", affinity,
               "sessionAffinity: ClientIP: who comes again within this time of the last connection "
               "goes to the same endpoint (default: nobody does)");

  try {
    app.parse(argc, argv);
    FactWriter writer(STDOUT_FILENO);
    Proxy proxy(parse_address(listen), parse_endpoints(endpoints), seed, affinity,
                [&writer](const ProxyFact& fact) { writer.write(fact); });
    for (std::string line; std::getline(std::cin, line);) {
      try {
        if (auto wanted = parse_command(line)) proxy.set_endpoints(std::move(*wanted));
      } catch (const std::invalid_argument& error) {
        std::cerr << "clusterip: " << printable(in_short(error.what())) << std::endl;
      }
    }
    // Not by the destructors: they would wait for a reader who may have stopped reading.
    leave_at_once(SIGTERM);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const std::exception& error) {
    std::cerr << "clusterip: " << printable(in_short(error.what())) << std::endl;
  }
  return EXIT_FAILURE;
}
