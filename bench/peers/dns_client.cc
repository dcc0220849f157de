// dns_client: looks one name up again and again, so many at a time: with the lab's resolver, or
// with c-ares itself, the library below it.
#include <ares.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dns/blocking_poll.h"
#include "dns/resolver.h"
#include "dns/walk.h"
#include "dns/wire.h"
#include "measurement.h"

namespace greetlab::bench {
namespace {

struct Flags {
  std::string server;
  std::string engine = "lab";
  std::string name = "greetserver-headless.default.svc.cluster.local.";
  std::size_t in_flight = 1;
  std::size_t warm_up = 1000;
  std::size_t calls = 10000;
};

constexpr int kAddresses = 3;  // that the peer's server gives

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "dns_client: %s\n", why.c_str());
  std::exit(1);
}

void require(bool holds, const char* what) {
  if (!holds) fail(what);
}

/// How long each lookup took, nanoseconds.
using Latencies = std::vector<std::int64_t>;

// --- The lab's resolver --------------------------------------------------------------------------

// One at a time as who waits for it asks, several at a time as on a loop.
class Lab {
 public:
  explicit Lab(const Flags& flags)
      : name_(flags.name), resolver_(config(flags)), wire_(poll_, poll_, resolver_.config()) {}

  Latencies run(std::size_t count, std::size_t in_flight) {
    latencies_.clear();
    latencies_.reserve(count);
    if (in_flight == 1) {
      while (latencies_.size() < count) {
        const auto start = Clock::now();
        took(start, resolver_.lookup(name_, {RecordType::a}));
      }
      return std::move(latencies_);
    }
    to_start_ = count - in_flight;
    for (std::size_t i = 0; i < in_flight; ++i) start();
    while (latencies_.size() < count) poll_.run_once();
    return std::move(latencies_);
  }

 private:
  static ResolverConfig config(const Flags& flags) {
    ResolverConfig config;
    config.servers = {parse_address(flags.server)};
    return config;
  }

  void start() {
    Walk::start(wire_, name_, {RecordType::a}, [this, start = Clock::now()](const Lookup& lookup) {
      took(start, lookup);
      if (to_start_ == 0) return;
      --to_start_;
      this->start();
    });
  }

  void took(Clock::time_point start, const Lookup& lookup) {
    require(lookup.addresses.size() == kAddresses, "a lookup did not give the three addresses");
    latencies_.push_back((Clock::now() - start) / std::chrono::nanoseconds(1));
  }

  const std::string name_;
  Latencies latencies_;
  std::size_t to_start_ = 0;
  DnsResolver resolver_;
  BlockingPoll poll_;
  DnsWire wire_;
};

// --- c-ares itself -------------------------------------------------------------------------------

// One channel, whose UDP socket is kept; the questions are asked and answered on one thread.
class Ares {
 public:
  explicit Ares(const Flags& flags) : name_(flags.name) {
    ares_library_init(ARES_LIB_INIT_ALL);
    ares_options options{};
    options.flags = ARES_FLAG_STAYOPEN | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
      const int events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
      static_cast<Ares*>(self)->socket_ = {events != 0 ? socket : -1, static_cast<short>(events),
                                           0};
    };
    options.sock_state_cb_data = this;
    int mask = ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    require(ares_init_options(&channel_, &options, mask) == ARES_SUCCESS, "c-ares does not start");
    require(ares_set_servers_ports_csv(channel_, flags.server.c_str()) == ARES_SUCCESS,
            "that is no DNS server's address");
  }
  ~Ares() { ares_destroy(channel_); }
  Ares(const Ares&) = delete;
  Ares& operator=(const Ares&) = delete;

  Latencies run(std::size_t count, std::size_t in_flight) {
    latencies_.clear();
    latencies_.reserve(count);
    std::vector<Question> questions(in_flight, Question{this, {}});
    for (Question& question : questions) ended_.push_back(&question);
    std::size_t to_start = count;
    while (latencies_.size() < count) {
      // Not from within the answer: newer versions do not bear it.
      for (Question* question : ended_) {
        if (to_start == 0) break;
        --to_start;
        question->start = Clock::now();
        ares_query(channel_, name_.c_str(), kClassIn, kTypeA, on_reply, question);
      }
      ended_.clear();
      timeval most{};
      const timeval* left = ares_timeout(channel_, nullptr, &most);
      const int patience = left ? static_cast<int>(left->tv_sec * 1000 + left->tv_usec / 1000) : -1;
      const bool ready = poll(&socket_, 1, patience) > 0;
      ares_process_fd(channel_, ready ? socket_.fd : ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    ended_.clear();
    return std::move(latencies_);
  }

 private:
  static constexpr int kClassIn = 1;
  static constexpr int kTypeA = 1;

  struct Question {
    Ares* self;
    Clock::time_point start;
  };

  static void on_reply(void* asked, int status, int, unsigned char* reply, int length) {
    auto& question = *static_cast<Question*>(asked);
    std::array<ares_addrttl, 16> addresses{};
    int count = addresses.size();
    require(
        status == ARES_SUCCESS &&
            ares_parse_a_reply(reply, length, nullptr, addresses.data(), &count) == ARES_SUCCESS &&
            count == kAddresses,
        "a lookup did not give the three addresses");
    question.self->latencies_.push_back((Clock::now() - question.start) /
                                        std::chrono::nanoseconds(1));
    question.self->ended_.push_back(&question);
  }

  const std::string name_;
  ares_channel channel_ = nullptr;
  pollfd socket_{-1, 0, 0};
  std::vector<Question*> ended_;
  Latencies latencies_;
};

template <class Engine>
void measure(const Flags& flags) {
  Engine engine(flags);
  engine.run(flags.warm_up, flags.in_flight);
  const Measurement measurement;
  measurement.report(engine.run(flags.calls, flags.in_flight));
}

}  // namespace
}  // namespace greetlab::bench

int main(int argc, char** argv) {
  using namespace greetlab::bench;
  Flags flags;
  CLI::App app("Looks a name up many times; prints what it took as JSON.");
  app.set_version_flag("--version", std::string(ares_version(nullptr)));
  app.add_option("--server", flags.server, "ip:port")->required();
  app.add_option("--engine", flags.engine, "lab: ours; c-ares: the library itself")
      ->check(CLI::IsMember({"lab", "c-ares"}));
  app.add_option("--in-flight", flags.in_flight, "lookups at a time")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", flags.warm_up, "lookups before those that count");
  app.add_option("--calls", flags.calls, "lookups that count")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  if (flags.warm_up < flags.in_flight || flags.calls < flags.in_flight) {
    fail("fewer lookups than are to be in flight");
  }
  flags.engine == "lab" ? measure<Lab>(flags) : measure<Ares>(flags);
}
