// What Prometheus is told.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "channel/subchannel_view.h"
#include "core/connectivity.h"
#include "core/status.h"
#include "core/time.h"
#include "trace/trace.h"

namespace greetlab {

/// Counts. From any thread.
class Metrics {
 public:
  Metrics();

  /// A call has ended.
  /// @param pod who answered, as it says; empty: nobody did. A label each, for so many: a pod that
  ///        comes later, or whose name is none, is "other".
  void call_ended(const std::string& pod, Code code, Duration took);
  /// An HTTP request was answered.
  void responded(unsigned status);
  /// Counts the connections and the lookups of the channel's trace. gRPC's own engine shows none.
  void on_event(const Event& event, const Symbols& symbols);

  /// All of it in Prometheus' text format, as it stands now.
  std::string text(const std::vector<SubchannelView>& subchannels, std::size_t http_connections);

 private:
  const std::string& label(const std::string& pod);

  prometheus::Registry registry_;
  std::mutex pods_mutex_;
  std::set<std::string> pods_{""};  // that have a label of their own; "": nobody
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Histogram& call_seconds_;
  prometheus::Family<prometheus::Counter>& connections_opened_;
  prometheus::Family<prometheus::Counter>& lookups_;
  prometheus::Family<prometheus::Gauge>& subchannels_;
  prometheus::Family<prometheus::Counter>& responses_;
  prometheus::Gauge& http_connections_;
};

}  // namespace greetlab
