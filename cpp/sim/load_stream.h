// A pod's load, told to a client every so often.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/clock.h"
#include "lb/connector.h"
#include "sim/pod_server.h"
#include "sim/side_stream.h"

namespace greetlab {

/// xds.service.orca.v3.OpenRcaService/StreamCoreMetrics over one connection (gRFC A51): a report as
/// soon as it is asked for, and one every interval. A pod that reports no load does not know the
/// method.
class LoadStream final : public Stream {
 public:
  /// As greet-server has it.
  static constexpr Duration kLeastInterval = std::chrono::milliseconds(100);

  /// @param clock, watcher: outlive it.
  LoadStream(Clock& clock, std::shared_ptr<SideStreams> way, Duration interval,
             LoadWatcher& watcher, EventId cause)
      : clock_(clock),
        way_(std::move(way)),
        interval_(std::max(interval, kLeastInterval)),
        watcher_(watcher),
        cause_(cause) {
    way_->begin();
    next_ = clock_.at(clock_.now() + way_->one_way(), [this] { say(); });
  }
  ~LoadStream() override { way_->end(); }
  LoadStream(const LoadStream&) = delete;
  LoadStream& operator=(const LoadStream&) = delete;

 private:
  void say() {
    const auto& server = way_->pod().server;
    auto report = server ? server->report() : std::nullopt;
    // Before the next one: it takes less time than an interval.
    told_ = clock_.at(clock_.now() + way_->one_way(), [this, report = std::move(report)] {
      if (!way_->open()) return;
      way_->heard();
      if (report) return watcher_.on_message(*report, cause_);  // may be the end of us
      watcher_.on_stream_end({Code::unimplemented, "no such method"}, cause_);
    });
    next_ = clock_.at(clock_.now() + interval_, [this] { say(); });
  }

  Clock& clock_;
  const std::shared_ptr<SideStreams> way_;
  const Duration interval_;
  LoadWatcher& watcher_;
  const EventId cause_;
  Timer next_;
  Timer told_;
};

}  // namespace greetlab
