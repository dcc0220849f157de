// What a server says of its own load.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace greetlab {

/// An OrcaLoadReport (xds/data/orca/v3): at the end of a call (gRFC A51: the trailer
/// `endpoint-load-metrics-bin`) or, out of band, every so often on a stream of its own. 0: not
/// told.
struct LoadReport {
  double cpu_utilization = 0;          ///< 1: all that it has; may be more.
  double application_utilization = 0;  ///< The server's own measure; stands before the CPU's (A58).
  double memory_utilization = 0;
  double rps = 0;  ///< Requests a second,
  double eps = 0;  ///< and failed ones.
  /// By the server's own names (`named_metrics`; gRFC A114).
  std::map<std::string, double> named = {};

  bool operator==(const LoadReport&) const = default;
};

}  // namespace greetlab
