#include "gateway/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <variant>

namespace greetlab {
namespace {

template <class Metric>
prometheus::Family<Metric>& family(prometheus::detail::Builder<Metric> (*build)(),
                                   prometheus::Registry& registry, const std::string& name,
                                   const std::string& help) {
  return build().Name("greetlab_gateway_" + name).Help(help).Register(registry);
}

// Seconds. A greeting takes less than a millisecond, and a deadline is some seconds.
const prometheus::Histogram::BucketBoundaries kBuckets{
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};

}  // namespace

Metrics::Metrics()
    : calls_(family(prometheus::BuildCounter, registry_, "calls_total",
                    "gRPC calls that have ended, by the pod that answered and gRPC's code.")),
      call_seconds_(family(prometheus::BuildHistogram, registry_, "call_duration_seconds",
                           "How long gRPC calls took.")
                        .Add({}, kBuckets)),
      connections_opened_(family(prometheus::BuildCounter, registry_, "connections_opened_total",
                                 "HTTP/2 connections to pods that came up.")),
      lookups_(family(prometheus::BuildCounter, registry_, "lookups_total",
                      "DNS lookups of the target, by how they ended.")),
      subchannels_(family(prometheus::BuildGauge, registry_, "subchannels",
                          "Subchannels, by connectivity state.")),
      responses_(family(prometheus::BuildCounter, registry_, "http_responses_total",
                        "HTTP responses, by status.")),
      http_connections_(family(prometheus::BuildGauge, registry_, "http_connections",
                               "HTTP connections that are open.")
                            .Add({})) {}

const std::string& Metrics::label(const std::string& pod) {
  // A server that calls itself anew in each answer must not grow these for ever.
  constexpr std::size_t kMostPods = 1000, kLongestName = 253;  // Kubernetes' own longest
  static const std::string kOther = "other";
  const std::scoped_lock lock(pods_mutex_);
  if (pods_.contains(pod)) return pod;
  if (pods_.size() > kMostPods || pod.size() > kLongestName) return kOther;
  return *pods_.insert(pod).first;
}

void Metrics::call_ended(const std::string& pod, Code code, Duration took) {
  calls_.Add({{"pod", label(pod)}, {"code", std::string(to_string(code))}}).Increment();
  call_seconds_.Observe(std::chrono::duration<double>(took).count());
}

void Metrics::responded(unsigned status) {
  responses_.Add({{"code", std::to_string(status)}}).Increment();
}

void Metrics::on_event(const Event& event, const Symbols& symbols) {
  if (std::holds_alternative<Connected>(event.fact)) {
    connections_opened_.Add({}).Increment();
  } else if (const auto* lookup = std::get_if<LookupEnded>(&event.fact)) {
    lookups_.Add({{"status", symbols.word(lookup->status)}}).Increment();
  }
}

std::string Metrics::text(const std::vector<SubchannelView>& subchannels,
                          std::size_t http_connections) {
  for (const auto state : {ConnectivityState::idle, ConnectivityState::connecting,
                           ConnectivityState::ready, ConnectivityState::transient_failure}) {
    const std::string name(to_string(state));
    const auto count = std::ranges::count(subchannels, name, &SubchannelView::state);
    subchannels_.Add({{"state", name}}).Set(static_cast<double>(count));
  }
  http_connections_.Set(static_cast<double>(http_connections));
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace greetlab
