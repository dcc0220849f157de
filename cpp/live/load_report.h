// Load reports as they come over the wire (gRFC A51).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/load_report.h"
#include "core/time.h"

namespace greetlab {

/// The trailer that carries one at the end of a call.
inline constexpr std::string_view kLoadTrailer = "endpoint-load-metrics-bin";

/// @param bytes an xds.data.orca.v3.OrcaLoadReport. @return nothing for what is none.
std::optional<LoadReport> parse_load_report(std::string_view bytes);

/// @return an xds.service.orca.v3.OrcaLoadReportRequest.
std::string load_report_request(Duration interval);

}  // namespace greetlab
