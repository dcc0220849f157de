// A subchannel as it is shown.
#pragma once

#include <string>
#include <vector>

namespace greetlab {

/// One subchannel, now: of our own channel, or of gRPC's as channelz shows it.
struct SubchannelView {
  std::string address;  ///< "127.1.0.2:50051"
  std::string state;    ///< "IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE"
  /// Our end of each of its connections, "127.0.0.1:40312".
  std::vector<std::string> local_addresses;
};

}  // namespace greetlab
