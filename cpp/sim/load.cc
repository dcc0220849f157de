#include "sim/load.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace greetlab {
namespace {

class SimLoadDriver final : public LoadDriver {
 public:
  SimLoadDriver(SimCluster& cluster, Symbol owner, std::optional<ChannelOptions> dial_anew)
      : cluster_(cluster), owner_(owner), dial_anew_(std::move(dial_anew)) {}

  Clock& clock() override { return cluster_.clock(); }

  std::unique_ptr<SubchannelCall> make_subchannel_call(const Metadata&) override {
    return std::make_unique<SimCall>();
  }

  void answered(CallLog& log, std::size_t row, const CallResult& result,
                const SubchannelCall&) override {
    const std::int32_t pod = pod_row(log, result.pod);
    log.answered(row, clock().now().time_since_epoch().count(), pod,
                 connections_.row(log, static_cast<std::uint32_t>(result.connection), pod, ""), 0);
  }

  Channel* open_channel() override {
    return dial_anew_ ? &cluster_.dial_anew(*dial_anew_, owner_) : nullptr;
  }
  void close_channel(Channel& channel) override { cluster_.close_channel(channel); }

 private:
  std::int32_t pod_row(CallLog& log, Symbol pod) {
    const auto index = static_cast<std::size_t>(pod);
    if (index >= pod_rows_.size()) pod_rows_.resize(index + 1, -1);
    if (pod_rows_[index] < 0) {
      const auto& pods = cluster_.pods();
      const auto found = std::ranges::find(pods, pod, &SimPod::who);
      pod_rows_[index] = log.pod_row(found->name, found->addresses.front().ip);
    }
    return pod_rows_[index];
  }

  SimCluster& cluster_;
  const Symbol owner_;
  const std::optional<ChannelOptions> dial_anew_;
  std::vector<std::int32_t> pod_rows_;  // by symbol; -1 = none yet
  ConnectionRows connections_;
};

}  // namespace

std::shared_ptr<Load> start_load(SimCluster& cluster, Channel& channel, LoadConfig config,
                                 std::optional<ChannelOptions> dial_anew) {
  if (!config.interval.is_constant()) config.seed = cluster.draw_seed();
  return Load::start(std::make_unique<SimLoadDriver>(cluster, channel.who(), std::move(dial_anew)),
                     channel, config, CallLog(config.calls));
}

}  // namespace greetlab
