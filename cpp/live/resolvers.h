// How a channel learns addresses, by its target's scheme. A scheme more is an entry in
// resolvers.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/rng.h"
#include "core/time.h"
#include "lb/endpoint_feed.h"
#include "lb/resolver.h"
#include "live/loop.h"
#include "live/target.h"

namespace greetlab {

/// Makes the resolvers of all channels to one target, and has what they share (gRPC:
/// `ResolverFactory`). Outlives them, and goes on the loop.
class ResolverFactory {
 public:
  virtual ~ResolverFactory() = default;

  /// On the loop.
  /// @param rng outlives the resolver. who: the channel, in the trace.
  virtual std::unique_ptr<Resolver> make(Rng& rng, Symbol who) = 0;
};

/// What a factory needs of the world. What it refers to outlives it.
struct ResolverPorts {
  Loop& loop;
  Trace& trace;
  EndpointFeed& feed;
  Duration cooldown;
  bool service_config;            ///< Those that ask DNS ask it for this, too.
  const std::string& kubeconfig;  ///< A file's name; empty: `find_kube_access` knows.
};

/// @throws std::invalid_argument naming the text, what is wrong with it, and what it may be.
Target parse_target(std::string_view text);

/// @param target outlives the factory.
/// @throws std::invalid_argument where a cluster's API is to be asked, and it is not known which.
std::unique_ptr<ResolverFactory> make_resolver_factory(const Target& target, ResolverPorts ports);

}  // namespace greetlab
