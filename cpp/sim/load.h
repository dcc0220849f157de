// A simulated client's calls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "load/load.h"
#include "sim/cluster.h"

namespace greetlab {

/// Starts calls through `channel`. They go on while the virtual clock does.
/// @param cluster outlives the load.
/// @param config its seed comes from the cluster's.
/// @param dial_anew a new channel like this for every call, closed when the call has ended;
/// nothing:
///        all go through `channel`.
std::shared_ptr<Load> start_load(SimCluster& cluster, Channel& channel, LoadConfig config,
                                 std::optional<ChannelOptions> dial_anew);

}  // namespace greetlab
