// What gRPC shows of its own inside: channelz (gRFC A14), asked in process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "channel/subchannel_view.h"

namespace greetlab {

/// The id of the channel that was created last for `target`; 0 if there is none. To be asked right
/// after creating it: gRPC's C++ API does not tell a channel its own id.
std::int64_t newest_channel_id(const std::string& target);

/// The channel's subchannels, now. Empty for an id that is no more.
std::vector<SubchannelView> subchannels_of(std::int64_t channel_id);

}  // namespace greetlab
