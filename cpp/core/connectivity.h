// The five states of a channel and of a subchannel, and which may follow which.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace greetlab {

/// grpc/grpc doc/connectivity-semantics-and-api.md.
enum class ConnectivityState : std::uint8_t {
  idle,               ///< Not connected, and not trying: nobody has asked.
  connecting,         ///< Trying.
  ready,              ///< Connected: the server's SETTINGS frame has come.
  transient_failure,  ///< The last attempt failed, and the backoff is not over.
  shutdown,           ///< Closed for good.
};

/// "IDLE", "TRANSIENT_FAILURE": as gRPC writes them.
constexpr std::string_view to_string(ConnectivityState state) {
  constexpr std::array<std::string_view, 5> kNames{"IDLE", "CONNECTING", "READY",
                                                   "TRANSIENT_FAILURE", "SHUTDOWN"};
  return kNames[static_cast<std::size_t>(state)];
}

/// The legal transitions of a subchannel (client channel spec, "subchannel states"). SHUTDOWN may
/// follow any of them and is final.
constexpr std::array<std::pair<ConnectivityState, ConnectivityState>, 5> kSubchannelTransitions{{
    {ConnectivityState::idle, ConnectivityState::connecting},
    {ConnectivityState::connecting, ConnectivityState::ready},
    {ConnectivityState::connecting, ConnectivityState::transient_failure},
    {ConnectivityState::ready, ConnectivityState::idle},
    {ConnectivityState::transient_failure, ConnectivityState::idle},
}};

constexpr bool is_legal(ConnectivityState from, ConnectivityState to) {
  if (from == ConnectivityState::shutdown) return false;
  if (to == ConnectivityState::shutdown) return true;
  for (const auto& [legal_from, legal_to] : kSubchannelTransitions) {
    if (from == legal_from && to == legal_to) return true;
  }
  return false;
}

}  // namespace greetlab
