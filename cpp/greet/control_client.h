// The other end of control.proto: whoever started a pod changes it.
#pragma once

#include <string>
#include <utility>

#include "core/distribution.h"
#include "core/failing.h"
#include "core/interrupted.h"

namespace greetlab {

/// gRPC's name for a control socket: "@name" is one in Linux's abstract namespace.
std::string control_target(const std::string& control);

/// Talks to the control service of one greet-server. Every method blocks until the server has
/// acted, at most 5 s, over a connection of its own: one that stayed would keep a draining server
/// waiting for its end.
///
/// @throws std::runtime_error from each method, when the server refuses or does not answer, or when
/// interrupted.
class ControlClient {
 public:
  /// @param control as given to the server's --control.
  explicit ControlClient(std::string control, Interrupted interrupted)
      : control_(std::move(control)), interrupted_(std::move(interrupted)) {}

  /// Greetings take this much longer.
  void set_latency(const Distribution& longer) const;
  void set_failing(const Failing& failing) const;
  void set_serving(bool serving) const;

 private:
  const std::string control_;
  const Interrupted interrupted_;
};

}  // namespace greetlab
