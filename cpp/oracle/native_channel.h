// gRPC's own channel, with gRPC's own policies: the behaviour that the lab explains, and the oracle
// that our own channel is held to.
#pragma once

#include <memory>

#include "channel/greet_channel.h"
#include "lb/channel_options.h"

namespace greetlab {

/// Its target may be "static:a:p,b:p", or any of gRPC's. `source_ip` it cannot be told, and nothing
/// in it goes by `seed`.
///
/// gRPC tells nobody when a second subchannel of a READY channel becomes READY, so `wait_ready` of
/// all of them asks channelz, each millisecond, until it says so.
///
/// @throws std::invalid_argument for a policy that this gRPC does not have.
std::unique_ptr<GreetChannel> open_native_channel(ChannelOptions options);

}  // namespace greetlab
