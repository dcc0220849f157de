#include "core/load_meter.h"

#include <algorithm>

namespace greetlab {

void LoadMeter::advance(Time now) {
  if (now - last_ > 2 * kWindow) {  // nothing of what was before is in the window
    slices_.fill({in_service_ * kSlice.count(), 0, 0});
    slice() = {};
    full_ = kSlices - 1;
    last_ = slice_begins_ = now;
    return;
  }
  while (last_ < now) {
    const Time until = std::min(now, slice_begins_ + kSlice);
    slice().busy_ns += in_service_ * (until - last_).count();
    last_ = until;
    if (until < slice_begins_ + kSlice) break;
    slice_begins_ = until;
    current_ = (current_ + 1) % kSlices;
    full_ = std::min(full_ + 1, kSlices - 1);
    slice() = {};
  }
}

LoadReport LoadMeter::report(std::optional<std::uint32_t> capacity, std::size_t waiting, Time now) {
  advance(now);
  Slice sum;
  for (const Slice& one : slices_) {
    sum.busy_ns += one.busy_ns;
    sum.ended += one.ended;
    sum.failed += one.failed;
  }
  LoadReport report;
  report.named = {{"in_service", in_service_}, {"waiting", static_cast<double>(waiting)}};
  const Duration seen = static_cast<std::int64_t>(full_) * kSlice + (now - slice_begins_);
  if (seen.count() == 0) return report;
  const double seconds = static_cast<double>(seen.count()) / 1e9;
  report.rps = static_cast<double>(sum.ended) / seconds;
  report.eps = static_cast<double>(sum.failed) / seconds;
  if (capacity) {
    report.application_utilization =
        static_cast<double>(sum.busy_ns) / (static_cast<double>(seen.count()) * *capacity);
  }
  return report;
}

}  // namespace greetlab
