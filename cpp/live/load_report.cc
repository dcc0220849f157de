#include "live/load_report.h"

#include "xds/data/orca/v3/orca_load_report.pb.h"
#include "xds/service/orca/v3/orca.pb.h"

namespace greetlab {

std::optional<LoadReport> parse_load_report(std::string_view bytes) {
  xds::data::orca::v3::OrcaLoadReport report;
  if (!report.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return LoadReport{report.cpu_utilization(),
                    report.application_utilization(),
                    report.mem_utilization(),
                    report.rps_fractional(),
                    report.eps(),
                    {report.named_metrics().begin(), report.named_metrics().end()}};
}

std::string load_report_request(Duration interval) {
  xds::service::orca::v3::OrcaLoadReportRequest request;
  constexpr std::int64_t kSecond = Duration(std::chrono::seconds(1)).count();
  request.mutable_report_interval()->set_seconds(interval.count() / kSecond);
  request.mutable_report_interval()->set_nanos(static_cast<int>(interval.count() % kSecond));
  return request.SerializeAsString();
}

}  // namespace greetlab
