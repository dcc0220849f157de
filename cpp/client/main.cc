// greet-client: calls a greet service, and says who answered. The lab's channel as a program, to be
// run where the lab cannot be: in a pod. There is nothing of gRPC's libraries in it.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "channel/flags.h"
#include "channel/own_world.h"
#include "client/processes.h"
#include "client/report.h"
#include "core/distribution.h"
#include "core/metadata.h"
#include "core/printable.h"
#include "flags/parsed_option.h"
#include "live/lab_channel.h"
#include "traceio/json_lines.h"

namespace greetlab {
namespace {

struct Flags {
  ChannelOptions channel;
  GreetLoad load{"Ada", "Lovelace", {}, false};
  bool wait_ready = false;
  std::size_t wait_pods = 0;
  bool quiet = false;
  std::size_t loops = 1;
  std::string trace;  // a file; "-": standard output
};

/// "user-id=ada"
std::pair<std::string, std::string> split(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) {
    throw CLI::ValidationError(printable(text), "NAME=VALUE is expected");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void checked(const char* flag, const LoadConfig& load) {
  Metadata all = load.metadata;
  if (load.keys > 0) all.emplace_back(load.key_header, "");
  try {
    sendable(std::move(all));
  } catch (const std::invalid_argument& error) {
    throw CLI::ValidationError(flag, error.what());
  }
}

void declare(CLI::App& app, Flags& flags) {
  LoadConfig& load = flags.load.config;
  app.set_version_flag("--version", GREETLAB_VERSION);
  app.add_option("target", flags.channel.target,
                 "dns:///name:port, dns://server:port/name:port, srv:///name, "
                 "k8s:///service.namespace:port, static:ip:port,...");
  add_channel_flags(app, flags.channel, "",
                    {"cooldown", "keepalive_time", "keepalive_timeout", "keepalive_without_calls",
                     "idle_timeout", "dns_service_config", "kubeconfig", "connection_per_call",
                     "frames", "tls", "ca", "cert", "key", "server_name"});
  app.add_option("-n,--count", load.calls, "how many calls")
      ->check(CLI::Range(50'000'000))  // 40 bytes each, from the start
      ->capture_default_str();
  app.add_option("-c,--concurrency", load.concurrency, "how many of them at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--loops", flags.loops,
                 "as so many clients at once, each with a channel and a process of its own: for "
                 "more cores")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}))
      ->capture_default_str();
  app.add_option("--first-name", flags.load.first_name, "whom to greet")->capture_default_str();
  app.add_option("--last-name", flags.load.last_name, "whom to greet")->capture_default_str();
  add_duration(app, "--deadline", load.timeout, "how long each call may take");
  add_parsed(app, "--interval",
             "from one call's start to the next one's: " + std::string(kDistributionForms) +
                 ", which makes them a Poisson process; default: the next begins when one ends",
             parse_distribution, [&](Distribution value) { load.interval = value; })
      ->type_name("TIME");
  app.add_option("--seed", load.seed, "of a random --interval")->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--metadata",
         [&load](const std::vector<std::string>& given) {
           for (const std::string& one : given) load.metadata.push_back(split(one));
           checked("--metadata", load);
         },
         "what each call says beside its message, such as user-id=ada; may come again")
      ->type_name("NAME=VALUE");
  app.add_option_function<std::string>(
         "--keys",
         [&load](const std::string& given) {
           const auto [name, count] = split(given);
           load.key_header = name;
           if (!CLI::detail::lexical_cast(count, load.keys) || load.keys == 0) {
             throw CLI::ValidationError("--keys", given + ": how many? user-id=1000");
           }
           checked("--keys", load);
         },
         "calls of many users: user-id=1000 has the first say user-id: 1, the next 2, and so on up "
         "to 1000, and then again from 1")
      ->type_name("NAME=COUNT");
  app.add_flag("--wait-for-ready", load.wait_for_ready, "calls wait where others would fail");
  app.add_flag("--wait-ready", flags.wait_ready,
               "begin when every subchannel is READY, or when one deadline has passed");
  app.add_option(
         "--wait-pods", flags.wait_pods,
         "begin when this many are READY, however long it takes, and look the name up again "
         "until then: for a client that may be there before the pods are")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10'000}));
  app.add_option("--trace", flags.trace, "write the trace there as JSON lines; - = standard output")
      ->type_name("FILE");
  app.add_flag("-q,--quiet", flags.quiet, "do not print the greetings");
}

constexpr Duration kForever = std::chrono::hours(24 * 365);

std::atomic<bool> stopped{false};

bool is_stopped() {
  return stopped;
}

/// @return what cannot be done together; nullptr: all of it can.
const char* why_not(const Flags& flags) {
  // Not CLI11's `required`: that would be said in place of a flag that is misspelt.
  if (flags.channel.target.empty()) return "whom to call? A target is required: dns:///name:port";
  if (flags.wait_pods > 1 && flags.channel.policy.policy == "pick_first") {
    return "--wait-pods: pick_first connects to one; another --policy is needed";
  }
  if (flags.loops == 1) return nullptr;
  if (!flags.trace.empty()) return "--trace: of one channel only, not of several --loops";
  if (!flags.load.config.interval.is_zero()) return "--interval: not with several --loops";
  if (flags.load.config.concurrency < flags.loops) return "--loops: more than --concurrency calls";
  return nullptr;
}

/// What is done with the calls before the trace is written.
using Tell = std::function<void(const CallLog&)>;

/// One client's calls.
/// @param trace where the trace is written to; nullptr: there is none.
CallLog call(const Flags& flags, std::ostream* trace, const Tell& tell) {
  ChannelOptions options = flags.channel;
  options.trace_capacity = trace == nullptr ? 0 : 16'000'000;
  const auto channel = open_lab_channel(std::move(options));
  if (flags.wait_pods > 0) channel->wait_for_pods(flags.wait_pods, kForever, is_stopped);
  if (flags.wait_ready) channel->wait_ready(true, flags.load.config.timeout, is_stopped);
  if (stopped) throw std::runtime_error("interrupted before the first call");
  CallLog log = channel->run(flags.load, is_stopped);
  tell(log);
  if (trace != nullptr) {
    channel->close();  // its end belongs to the trace
    write_trace(*trace, channel->events(), channel->symbols(), channel->dropped(), own_world());
  }
  return log;
}

CallLog call_in_loops(const Flags& flags, const Tell& tell) {
  CallLog log = in_processes(
      flags.loops,
      [&](std::size_t loop) {
        const auto share = [&](std::size_t all) {
          return all / flags.loops + (loop < all % flags.loops);
        };
        Flags mine = flags;
        mine.load.config.calls = share(flags.load.config.calls);
        mine.load.config.concurrency = share(flags.load.config.concurrency);
        return call(mine, nullptr, [](const CallLog&) {});
      },
      is_stopped);
  tell(log);
  return log;
}

int run(const Flags& flags) {
  std::ofstream file;
  const bool traced = !flags.trace.empty();
  const bool to_stdout = flags.trace == "-";
  if (traced && !to_stdout) {
    file.open(flags.trace);  // before the work, not after it
    if (!file) throw std::runtime_error("write " + flags.trace + ": " + std::strerror(errno));
  }
  std::ostream& out = to_stdout ? std::cout : file;
  const auto tell = [&](const CallLog& log) {
    std::ostream& words = to_stdout ? std::cerr : std::cout;
    for (const std::string& result : log.results) {
      if (!result.empty()) words << printable(result) << '\n';
    }
    words << report(log) << std::flush;
    if (!words) throw std::runtime_error(std::string("write the report: ") + std::strerror(errno));
  };
  const CallLog log =
      flags.loops > 1 ? call_in_loops(flags, tell) : call(flags, traced ? &out : nullptr, tell);
  if (traced) {
    out.flush();
    if (!out) throw std::runtime_error("write " + flags.trace + ": " + std::strerror(errno));
  }
  const bool all_ok = std::ranges::all_of(log.status, [](int code) { return code == 0; });
  return all_ok ? 0 : 1;
}

}  // namespace
}  // namespace greetlab

int main(int argc, char** argv) {
  greetlab::Flags flags;
  CLI::App app(
      "Calls a greet service and says which pod answered each call.\n"
      "Exit status: 0 all calls were OK, 1 some were not, 2 it could not begin.",
      "greet-client");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return "greet-client: " + greetlab::printable(error.what()) + " (see greet-client --help)\n";
  });
  greetlab::declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const char* why = greetlab::why_not(flags); why != nullptr) {
    std::cerr << "greet-client: " << why << " (see greet-client --help)" << std::endl;
    return 2;
  }
  flags.load.keep_results = !flags.quiet;
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { greetlab::stopped = true; });
  }
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error like any other
  try {
    return greetlab::run(flags);
  } catch (const std::exception& error) {
    std::cerr << "greet-client: " << greetlab::printable(error.what()) << std::endl;
    return 2;
  }
}
