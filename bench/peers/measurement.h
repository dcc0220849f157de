// How a client measures itself, and how it reports.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <utility>
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

/// From construction to `grown`: by how many bytes the process' memory has grown that is resident.
class Resident {
 public:
  double grown() const { return bytes() - before_; }

 private:
  static double bytes() {
    long pages = 0;
    if (std::FILE* statm = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(statm, "%*d %ld", &pages) != 1) pages = 0;
      std::fclose(statm);
    }
    return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

  double before_ = bytes();
};

/// From construction to `report`: wall time and CPU time.
class Measurement {
 public:
  /// Prints one line of JSON: calls, seconds, cpu_seconds, p50_us, and what else is told.
  void report(std::vector<std::int64_t> latencies_ns,
              const std::vector<std::pair<const char*, double>>& told = {}) const {
    const double cpu = cpu_seconds() - cpu_;
    const std::chrono::duration<double> wall = Clock::now() - start_;
    const auto middle = latencies_ns.begin() + static_cast<std::ptrdiff_t>(latencies_ns.size() / 2);
    std::nth_element(latencies_ns.begin(), middle, latencies_ns.end());
    std::printf("{\"calls\": %zu, \"seconds\": %.9f, \"cpu_seconds\": %.6f, \"p50_us\": %.3f",
                latencies_ns.size(), wall.count(), cpu, static_cast<double>(*middle) * 1e-3);
    for (const auto& [what, figure] : told) std::printf(", \"%s\": %.6f", what, figure);
    std::printf("}\n");
  }

 private:
  double cpu_ = cpu_seconds();
  Clock::time_point start_ = Clock::now();
};

}  // namespace greetlab::bench
