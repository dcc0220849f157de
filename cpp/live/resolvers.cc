#include "live/resolvers.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "dns/wire.h"
#include "kube/access.h"
#include "kube/slice_watch.h"
#include "lb/polling_resolver.h"
#include "lb/static_resolver.h"
#include "lb/watch_resolver.h"
#include "live/kube_connection.h"
#include "live/name_lookup.h"

namespace greetlab {
namespace {

class Fixed final : public ResolverFactory {
 public:
  Fixed(const Target& target, ResolverPorts ports) : target_(target), ports_(ports) {}

  std::unique_ptr<Resolver> make(Rng&, Symbol) override {
    return std::make_unique<StaticResolver>(ports_.loop, target_.addresses);
  }

 private:
  const Target& target_;
  const ResolverPorts ports_;
};

class LookedUp final : public ResolverFactory {
 public:
  LookedUp(const Target& target, ResolverPorts ports)
      : target_(target), ports_(ports), dns_(ports.loop, ports.loop.poller(), config_of(target)) {}

  std::unique_ptr<Resolver> make(Rng& rng, Symbol who) override {
    return std::make_unique<PollingResolver>(
        PollingResolver::Ports{ports_.loop, rng, ports_.trace, who},
        std::make_unique<LiveNameLookup>(ports_.loop, dns_, ports_.trace, who, target_,
                                         ports_.service_config ? &rng : nullptr),
        ports_.cooldown);
  }

 private:
  static ResolverConfig config_of(const Target& target) {
    ResolverConfig config = system_resolver_config();
    if (target.server) config.servers = {*target.server};
    return config;
  }

  const Target& target_;
  const ResolverPorts ports_;
  DnsWire dns_;
};

class Told final : public ResolverFactory {
 public:
  Told(const Target& target, ResolverPorts ports) : target_(target), ports_(ports) {}

  std::unique_ptr<Resolver> make(Rng&, Symbol who) override {
    return std::make_unique<WatchResolver>(ports_.trace, who, target_.name,
                                           ports_.feed.watch(target_.name));
  }

 private:
  const Target& target_;
  const ResolverPorts ports_;
};

class ToldByKube final : public ResolverFactory {
 public:
  ToldByKube(const Target& target, ResolverPorts ports)
      : ports_(ports),
        api_(ports.loop, ports.trace, ports.trace.symbol("resolver"),
             find_kube_access(ports.kubeconfig)),
        service_(*target.kube) {
    if (service_.name_space.empty()) service_.name_space = api_.access().name_space;
  }

  std::unique_ptr<Resolver> make(Rng& rng, Symbol who) override {
    return std::make_unique<WatchResolver>(
        ports_.trace, who, service_.name + '.' + service_.name_space,
        std::make_unique<SliceWatch>(SliceWatch::Ports{ports_.loop, rng, ports_.trace, who, api_},
                                     service_));
  }

 private:
  const ResolverPorts ports_;
  KubeConnection api_;
  KubeService service_;
};

using Made = std::unique_ptr<ResolverFactory>;

Made fixed(const Target& target, ResolverPorts ports) {
  return std::make_unique<Fixed>(target, ports);
}

// A name that is an IP address already needs no lookup.
Made looked_up(const Target& target, ResolverPorts ports) {
  if (!target.addresses.empty()) return fixed(target, ports);
  return std::make_unique<LookedUp>(target, ports);
}

Made told(const Target& target, ResolverPorts ports) {
  return std::make_unique<Told>(target, ports);
}

Made told_by_kube(const Target& target, ResolverPorts ports) {
  return std::make_unique<ToldByKube>(target, ports);
}

struct Scheme {
  std::string_view name;
  std::string_view example;                // for who has written something else; mostly none
  Target (*parse)(std::string_view rest);  // what follows "name:"
  Made (*make)(const Target& target, ResolverPorts ports);
};

constexpr std::array kSchemes{
    Scheme{"dns", "dns:///name:port, dns://server:port/name:port", parse_dns, looked_up},
    Scheme{"srv", "srv:///name", parse_srv, looked_up},
    Scheme{"static", "static:ip:port,...", parse_addresses, fixed},
    Scheme{"k8s", "k8s:///service.namespace:port", parse_k8s, told_by_kube},
    Scheme{"watch", "", parse_watch, told},  // a cluster's channel alone is told of anything
    Scheme{"ipv4", "", parse_addresses, fixed},
    Scheme{"ipv6", "", parse_addresses, fixed},
};
constexpr const Scheme& kDefault = kSchemes.front();

std::string examples() {
  std::string text;
  for (std::size_t i = 0; i < kSchemes.size(); ++i) {
    const std::string_view example = kSchemes[i].example;
    if (example.empty()) continue;
    const bool last =
        std::all_of(kSchemes.begin() + static_cast<std::ptrdiff_t>(i) + 1, kSchemes.end(),
                    [](const Scheme& one) { return one.example.empty(); });
    text += text.empty() ? "" : last ? " or " : ", ";
    text += example;
  }
  return text;
}

}  // namespace

Target parse_target(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(':'));
  const auto found = std::ranges::find(kSchemes, word, &Scheme::name);
  const bool has_scheme = found != kSchemes.end() && word.size() < text.size();
  const Scheme& scheme = has_scheme ? *found : kDefault;
  try {
    if (!has_scheme && text.find("://") != std::string_view::npos) {
      throw std::invalid_argument("no such scheme");
    }
    Target target = scheme.parse(has_scheme ? text.substr(word.size() + 1) : text);
    target.scheme = scheme.name;
    return target;
  } catch (const std::invalid_argument& error) {
    // An address within it says what an address may be; who reads this wrote a target.
    std::string why = error.what();
    why.resize(std::min(why.size(), why.find(" (expected ")));
    throw std::invalid_argument("target '" + std::string(text) + "': " + why + " (expected " +
                                examples() + ")");
  }
}

std::unique_ptr<ResolverFactory> make_resolver_factory(const Target& target, ResolverPorts ports) {
  return std::ranges::find(kSchemes, target.scheme, &Scheme::name)->make(target, ports);
}

}  // namespace greetlab
