// The other end of control.proto: whoever started a pod changes it.
#pragma once

#include <memory>
#include <string>

#include "greet/behaviour.h"

namespace greetlab {

/// gRPC's name for a control socket: "@name" is one in Linux's abstract namespace.
std::string control_target(const std::string& control);

/// Talks to the control service of one greet-server. Every method blocks until the server has
/// acted, at most 5 s.
///
/// @throws std::runtime_error from each method, when the server refuses or does not answer.
class ControlClient {
 public:
  /// @param control as given to the server's --control.
  explicit ControlClient(const std::string& control);
  ~ControlClient();

  void set_latency(Latency latency);
  void set_error_rate(double rate);
  void set_serving(bool serving);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace greetlab
