// What a pod measures of itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/load_report.h"
#include "core/time.h"

namespace greetlab {

/// Counts what a pod does, and says what that comes to: a mean over the last second, moved on by
/// tenths. What utilization means, and over which time, gRFC A51 leaves to the application; here it
/// is the share of the capacity that is busy. Integers until the very end, so that the
/// same calls give the same report everywhere.
class LoadMeter {
 public:
  static constexpr Duration kWindow = std::chrono::seconds(1);

  explicit LoadMeter(Time since) : last_(since), slice_begins_(since) {}

  /// So many calls are being served from now on.
  void serves(std::uint32_t in_service, Time now) {
    advance(now);
    in_service_ = in_service;
  }
  /// A call has ended.
  void ended(bool ok, Time now) {
    advance(now);
    ++slice().ended;
    if (!ok) ++slice().failed;
  }

  /// @param capacity of the pod; none: nobody can say how much of it is busy.
  /// @param waiting calls in its queue, which the report names beside those in service.
  LoadReport report(std::optional<std::uint32_t> capacity, std::size_t waiting, Time now);

 private:
  static constexpr std::size_t kSlices = 10;
  static constexpr Duration kSlice = kWindow / kSlices;

  struct Slice {
    std::int64_t busy_ns = 0;  // of every place
    std::uint64_t ended = 0;
    std::uint64_t failed = 0;
  };

  void advance(Time now);
  Slice& slice() { return slices_[current_]; }

  std::array<Slice, kSlices> slices_{};
  std::size_t current_ = 0;
  std::size_t full_ = 0;  // slices that are over, of those before the current one
  Time last_;
  Time slice_begins_;
  std::uint32_t in_service_ = 0;
};

}  // namespace greetlab
