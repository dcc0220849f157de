// The lab's own channel on real connections: lb/ in the live world.
#pragma once

#include <memory>

#include "channel/greet_channel.h"
#include "lb/channel_options.h"

namespace greetlab {

/// The channel of lb/, with a loop of its own, real sockets and real DNS.
///
/// @throws std::invalid_argument for a target or a source that makes no sense; std::system_error if
///         the kernel has no descriptors left; std::runtime_error if resolv.conf cannot be read or
///         DNS will not start.
std::unique_ptr<GreetChannel> open_lab_channel(ChannelOptions options);

}  // namespace greetlab
