// Numbers of a trace's own (`Trace::next_call`), unique in it.
#pragma once

#include <cstdint>

namespace greetlab {

enum class CallId : std::uint32_t {};
enum class SubchannelId : std::uint32_t {};
enum class ConnectionId : std::uint32_t { none = 0 };
/// The address lists that a policy has been given, counted from 1.
enum class ListId : std::uint32_t {};

}  // namespace greetlab
