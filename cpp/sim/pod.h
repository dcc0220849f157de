// A pretend pod.
#pragma once

#include <cstdint>
#include <string>

#include "core/address.h"
#include "core/symbol.h"
#include "core/time.h"

namespace greetlab {

/// What a pod's address does with packets.
enum class PodState : std::uint8_t {
  serving,
  draining,  ///< Told to end: takes no new connection, finishes its calls.
  dead,      ///< Refuses: there is a machine, and nobody listens.
  lost,      ///< Swallows packets: there is no machine any more.
};

struct SimPod {
  std::string name;
  Address address;
  Symbol who;  ///< In the trace.
  PodState state = PodState::serving;
  bool listed = true;
  /// Time from a request to its reply: at least, and at most (a uniform draw).
  Duration least{};
  Duration most{};
  /// The share of calls that fail, in parts of a million.
  std::uint32_t errors_ppm = 0;
  std::uint64_t serial = 0;
};

}  // namespace greetlab
