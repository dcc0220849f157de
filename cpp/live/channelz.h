// What gRPC shows of its own inside: channelz (gRFC A14), asked in process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace greetlab {

/// One subchannel as channelz shows it.
struct SubchannelView {
  std::string address;  // "127.1.0.2:50051"
  std::string state;    // "IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE"
  /// Our end of each of its connections, "127.0.0.1:40312".
  std::vector<std::string> local_addresses;
};

/// The id of the channel that was created last for `target`; 0 if there is none. To be asked right
/// after creating it: gRPC's C++ API does not tell a channel its own id.
std::int64_t newest_channel_id(const std::string& target);

/// The channel's subchannels, now. Empty for an id that is no more.
std::vector<SubchannelView> subchannels_of(std::int64_t channel_id);

}  // namespace greetlab
