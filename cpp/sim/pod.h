// A pretend pod.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/distribution.h"
#include "core/time.h"
#include "trace/symbol.h"

namespace greetlab {

class PodServer;

/// What a pod's address does with packets.
enum class PodState : std::uint8_t {
  starting,  ///< Runs, and no readiness probe has found out yet.
  serving,
  draining,  ///< Deleted. It takes connections until it is told to end, and then finishes its
             ///< calls.
  dead,      ///< Refuses: there is a machine, and nobody listens.
  lost,      ///< Swallows packets: there is no machine any more.
};

struct SimPod {
  SimPod();
  ~SimPod();

  std::string name;
  std::vector<Address> addresses;  ///< Of each family of the cluster one (status.podIPs).
  Symbol who;                      ///< In the trace.
  PodState state = PodState::serving;
  bool healthy = true;         ///< What its health service says,
  bool ready = true;           ///< and what the readiness probe knows of it.
  bool listed = true;          ///< As an endpoint of the services.
  bool told_to_end = false;    ///< SIGTERM has come: it is draining, and its preStop is over.
  std::uint32_t revision = 0;  ///< Of the Deployment's template: the rollout that made it.
  Distribution service_time;   ///< From a request to its reply,
  Distribution slowness;       ///< and how much longer than that.
  /// Where it cannot do everything at once, or reports its load; nullptr: it can, and does not.
  std::unique_ptr<PodServer> server;
  /// The share of calls that fail, in parts of a million.
  std::uint32_t errors_ppm = 0;
  std::uint64_t serial = 0;
  std::uint32_t starts =
      0;  ///< How often it was started: a probe of an earlier life finds nothing.

  /// Whether it takes new connections, listed or not.
  bool listens() const {
    return state == PodState::starting || state == PodState::serving ||
           (state == PodState::draining && !told_to_end);
  }
};

}  // namespace greetlab
