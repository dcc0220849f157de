// Load reports (ORCA): what a pod says of its load, at the end of a call and out of band.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "core/load_report.h"
#include "greet/call_queue.h"
#include "xds/service/orca/v3/orca.grpc.pb.h"

namespace greetlab {

/// The trailer of a call that has a report in it (gRFC A51).
inline constexpr const char* kLoadReportTrailer = "endpoint-load-metrics-bin";

/// A report as it goes over the wire.
std::string serialized(const LoadReport& report);

/// The service OpenRcaService, by which a client that makes few calls, or none yet, hears of a
/// pod's load: a report at once, and one each interval that it asked for. Outlives its calls; is
/// used on the queue's thread.
class OrcaService {
 public:
  /// As often as a client may have a report, and as often as one has it that does not say. gRPC's
  /// own servers begin with 30 s (`OrcaService::Options`), for which nobody in a lesson waits.
  static constexpr std::chrono::milliseconds kLeastInterval{100};
  /// Streams at once: each wakes the server for every report. More of them are refused with
  /// RESOURCE_EXHAUSTED; what a connection may cost beside that is the gate's.
  static constexpr int kMostStreams = 100;

  explicit OrcaService(std::function<LoadReport()> report) : report_(std::move(report)) {}

  /// To be registered.
  xds::service::orca::v3::OpenRcaService::AsyncService& service() { return service_; }

  /// Answers from now on.
  void await(CallQueue& queue);

 private:
  class StreamCall;

  xds::service::orca::v3::OpenRcaService::AsyncService service_;
  const std::function<LoadReport()> report_;
  int streams_ = 0;
};

}  // namespace greetlab
