// What can be done to a world, by name.
#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include "core/misuse.h"
#include "core/number.h"
#include "core/printable.h"
#include "wasm/config_words.h"
#include "wasm/host_policy.h"
#include "wasm/load_words.h"
#include "wasm/policy_words.h"
#include "wasm/scripted_world.h"
#include "wasm/values.h"

namespace greetlab {
namespace {

// Of ChannelOptions, what is of real connections, or what the world has for all its clients.
constexpr std::array<std::string_view, 9> kNotVirtual{
    "source_ip", "frames", "tls", "ca", "cert", "key", "server_name", "seed", "trace_capacity"};

// A load has its columns from the start: 44 bytes a call.
constexpr std::size_t kMostCalls = 1'000'000;

struct RolloutOptions {
  std::uint32_t max_surge = 1;
  std::uint32_t max_unavailable = 0;

  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f("max_surge", self.max_surge, "");
    f("max_unavailable", self.max_unavailable, "");
  }
};

struct FailOptions {
  std::string code = "UNAVAILABLE";
  std::string pushback = std::string(kNone);

  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f("code", self.code, "");
    f("pushback", self.pushback, "");
  }
};

constexpr std::string_view kNotAgain = "never";
constexpr std::string_view kMetadata = "metadata.";  // before a header's name

template <class Options>
Options options_from(const Statement& statement) {
  Options options;
  const auto all = any_options(options);
  for (const auto& [name, text] : statement.named) set_option(all, name, text);
  return options;
}

template <class Value>
Value given(const Statement& statement, std::size_t place) {
  try {
    return value_from<Value>(statement.given[place]);
  } catch (const std::invalid_argument& error) {
    misuse({statement.verb, ": ", printable(error.what())});
  }
}

double rate(const std::string& text) {
  double value = 0;
  const auto [stopped, error] = read_number(text, value);
  if (error == std::errc{} && stopped == text.data() + text.size() && value >= 0 && value <= 1)
    return value;
  misuse({"fail: '", printable(text), "': the share of the calls that fail, 0 to 1"});
}

Failing failing_from(const Statement& s) {
  const auto options = options_from<FailOptions>(s);
  const auto code = code_named(options.code);
  if (!code || *code == Code::ok) {
    misuse({"fail: code '", printable(options.code),
            "': one of gRPC's, such as UNAVAILABLE, and not OK"});
  }
  Failing failing{rate(s.given[1]), *code};
  if (options.pushback == kNotAgain) {
    failing.pushback = std::chrono::seconds(-1);
  } else {
    failing.pushback = value_from<std::optional<Duration>>(options.pushback);
  }
  return failing;
}

}  // namespace

bool is_virtual(std::string_view channel_option) {
  return std::ranges::find(kNotVirtual, channel_option) == kNotVirtual.end();
}

struct Verbs {
  using World = ScriptedWorld;
  using S = Statement;

  static World::Client& client(World& world, const S& s) {
    const auto& symbols = world.cluster_.trace().symbols();
    for (World::Client& one : world.clients_) {
      if (symbols.word(one.name) != s.given[0]) continue;
      if (one.channel == nullptr) misuse({s.given[0], " is closed; open another one"});
      return one;
    }
    misuse({"no client '", printable(s.given[0]), "': there ",
            (world.clients_.empty()
                 ? "is none yet"
                 : "are " + std::to_string(world.clients_.size()) + ", client-1 and so on")});
  }

  static void open(World& world, const S& s) {
    ChannelOptions options;
    const std::pair<std::string, std::string> mine{"policy", kOwnPolicy};
    const bool own = std::ranges::find(s.named, mine) != s.named.end();
    options.policy = own ? host_policy() : policy_from(s.named);
    options.service_config = config_from(s.named);
    for (const auto& [name, text] : s.named) {
      if (is_policy_word(name) || is_config_word(name)) continue;
      set_option(any_options(options), name, text, is_virtual);
    }
    if (options.dns_service_config) misuse({"dns_service_config: in a link no DNS has one"});
    options.target = s.given[0];
    Channel& channel = world.cluster_.open_channel(options);
    world.clients_.push_back({&channel, options, channel.who()});
  }

  static void close(World& world, const S& s) {
    world.cluster_.close_channel(*std::exchange(client(world, s).channel, nullptr));
  }

  static void load(World& world, const S& s) {
    World::Client& one = client(world, s);
    LoadWords config;
    for (const auto& [name, text] : s.named) {
      if (name.starts_with(kMetadata)) {
        config.metadata.emplace_back(name.substr(kMetadata.size()), text);
      } else {
        set_option(any_options(config), name, text);
      }
    }
    Metadata all = config.metadata;
    if (config.keys > 0) all.emplace_back(config.key_header, "");
    sendable(std::move(all));
    if (config.calls > kMostCalls || config.concurrency > kMostCalls) {
      misuse({"load: at most ", std::to_string(kMostCalls), " calls"});
    }
    if (config.concurrency == 0) misuse({"load: concurrency 0: 1 at least"});
    if (config.timeout.count() == 0) misuse({"load: timeout 0: more than that"});
    std::optional<ChannelOptions> dial_anew;
    if (one.options.connection_per_call) dial_anew = one.options;
    world.loads_.push_back(
        start_load(world.cluster_, *one.channel, std::move(config), std::move(dial_anew)));
  }

  static Load& load_of(World& world, const S& s) {
    for (std::size_t i = 0; i < world.loads_.size(); ++i) {
      if ("load-" + std::to_string(i + 1) == s.given[0]) return *world.loads_[i];
    }
    misuse({"no load '", printable(s.given[0]), "': there ",
            (world.loads_.empty()
                 ? "is none yet"
                 : "are " + std::to_string(world.loads_.size()) + ", load-1 and so on")});
  }

  static void lookup(World& world, const S& s) {
    SimCluster& cluster = world.cluster_;
    bool found = false;
    const auto alive = std::make_shared<const int>();
    cluster.dns().lookup(s.given[0], false, cluster.trace().symbol("resolver"), EventId::none,
                         alive, [&](const Lookup&, EventId) { found = true; });
    while (!found && cluster.clock().step()) {
    }
  }
};

std::span<const Verb> verbs() {
  using World = ScriptedWorld;
  using S = Statement;
  static const std::vector<Verb> all{
      {"scale",
       {"pods"},
       "",
       "adds pods, or drains the newest ones, until so many serve",
       [](World& world, const S& s) { world.cluster().scale(given<std::uint32_t>(s, 0)); }},
      {"kill",
       {"pod"},
       "",
       "the pod is gone at once: its connections are reset, its address refuses",
       [](World& world, const S& s) { world.cluster().kill(s.given[0]); }},
      {"lose",
       {"pod"},
       "",
       "its machine is gone: its connections fall silent, its address swallows packets",
       [](World& world, const S& s) { world.cluster().lose(s.given[0]); }},
      {"restart",
       {"pod"},
       "",
       "it serves again, at the same address",
       [](World& world, const S& s) { world.cluster().restart(s.given[0]); }},
      {"drain",
       {"pod"},
       "",
       "deletes it, as Kubernetes does",
       [](World& world, const S& s) { world.cluster().drain(s.given[0]); }},
      {"rollout",
       {},
       "rollout",
       "replaces the pods by new ones; max_surge=1 and max_unavailable=0",
       [](World& world, const S& s) {
         const auto options = options_from<RolloutOptions>(s);
         world.cluster().rollout(options.max_surge, options.max_unavailable);
       }},
      {"slow",
       {"pod", "longer"},
       "",
       "it serves each call so much longer: 20ms, 5ms..20ms; 0: no more",
       [](World& world, const S& s) {
         world.cluster().slow(s.given[0], given<Distribution>(s, 1));
       }},
      {"fail",
       {"pod", "rate"},
       "fail",
       "so large a share of its calls fails, 0 to 1; code=UNAVAILABLE and pushback=20ms, or never",
       [](World& world, const S& s) { world.cluster().fail(s.given[0], failing_from(s)); }},
      {"set_serving",
       {"pod", "serving"},
       "",
       "what its health says: true or false",
       [](World& world, const S& s) {
         world.cluster().set_serving(s.given[0], given<bool>(s, 1));
       }},
      {"change",
       {},
       "change",
       "from now on: what of the world's options can change while it runs",
       [](World& world, const S& s) {
         SimConfig config = world.cluster().config();
         const auto all = any_options(config);
         for (const auto& [name, text] : s.named) {
           set_option(all, name, text, SimCluster::can_change);
         }
         world.cluster().change(config);
       }},
      {"open", {"service"}, "channel", "a new client, client-1 and so on", Verbs::open},
      {"close", {"client"}, "", "closes its connections, and ends its calls", Verbs::close},
      {"connect",
       {"client"},
       "",
       "leaves IDLE, as a call would",
       [](World& world, const S& s) { Verbs::client(world, s).channel->connect(); }},
      {"look_again",
       {"client"},
       "",
       "asks the resolver for newer addresses",
       [](World& world, const S& s) { Verbs::client(world, s).channel->look_again(); }},
      {"load", {"client"}, "load", "starts calls, load-1 and so on", Verbs::load},
      {"cancel",
       {"load"},
       "",
       "gives up what is in flight of it, and what was not started",
       [](World& world, const S& s) { Verbs::load_of(world, s).cancel(); }},
      {"stop",
       {"load"},
       "",
       "starts no more of it; what is in flight goes on",
       [](World& world, const S& s) { Verbs::load_of(world, s).stop(); }},
      {"lookup",
       {"name"},
       "",
       "looks a name up as a pod would, and waits for the answer",
       Verbs::lookup},
  };
  return all;
}

}  // namespace greetlab
