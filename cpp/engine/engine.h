// Whose core makes the calls: "lab", ours, or "grpc", gRPC's own.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "channel/greet_channel.h"
#include "lb/channel_options.h"

namespace greetlab {

struct Engine {
  std::string_view name;
  std::string_view help;
  /// The options (`ChannelOptions::each`) that it cannot be told.
  std::vector<std::string_view> deaf_to;
  std::unique_ptr<GreetChannel> (*open)(ChannelOptions options);
};

/// All of them; the first is the usual one.
const std::vector<Engine>& engines();

/// @throws std::invalid_argument, naming what there is, for one that there is not.
const Engine& engine(std::string_view name);

/// A channel of that engine's. A process that is forked from this one leaves it as it is: it has
/// none of the threads that the channel's end would wait for.
///
/// @throws std::invalid_argument for a target, a policy or an engine that there is not, and for an
///         option that the engine cannot be told; std::runtime_error if it cannot begin.
std::shared_ptr<GreetChannel> open_channel(std::string_view engine, ChannelOptions options);

}  // namespace greetlab
