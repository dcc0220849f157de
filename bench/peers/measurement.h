// How a client measures itself, and how it reports.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace greetlab::bench {

using Clock = std::chrono::steady_clock;

/// CPU time of this process until now, of all its threads, in user and in system mode.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// From construction to `report`: wall time and CPU time.
class Measurement {
 public:
  /// Prints one line of JSON: calls, seconds, cpu_seconds, p50_us.
  void report(std::vector<std::int64_t> latencies_ns) const {
    const double cpu = cpu_seconds() - cpu_;
    const std::chrono::duration<double> wall = Clock::now() - start_;
    const auto middle = latencies_ns.begin() + static_cast<std::ptrdiff_t>(latencies_ns.size() / 2);
    std::nth_element(latencies_ns.begin(), middle, latencies_ns.end());
    std::printf("{\"calls\": %zu, \"seconds\": %.9f, \"cpu_seconds\": %.6f, \"p50_us\": %.3f}\n",
                latencies_ns.size(), wall.count(), cpu, static_cast<double>(*middle) * 1e-3);
  }

 private:
  double cpu_ = cpu_seconds();
  Clock::time_point start_ = Clock::now();
};

}  // namespace greetlab::bench
