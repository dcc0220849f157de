#include "sim/load.h"

#include <algorithm>
#include <utility>

namespace greetlab {

std::shared_ptr<SimLoad> SimLoad::start(SimCluster& cluster, Channel& channel,
                                        SimLoadConfig config) {
  const std::shared_ptr<SimLoad> load(new SimLoad(cluster, channel, config));
  if (config.interval.count() > 0) {
    load->start_by_the_clock();
    return load;
  }
  for (std::size_t i = 0; i < std::min(config.concurrency, config.calls); ++i) {
    load->start_call(load->slots_.emplace_back());
  }
  return load;
}

SimLoad::SimLoad(SimCluster& cluster, Channel& channel, SimLoadConfig config)
    : cluster_(cluster), channel_(channel), config_(config), log_(config.calls) {}

void SimLoad::start_by_the_clock() {
  if (started_ == config_.calls) return;
  if (free_.empty()) free_.push_back(&slots_.emplace_back());
  next_ = cluster_.clock().at(cluster_.clock().now() + config_.interval,
                              [self = shared_from_this()] { self->start_by_the_clock(); });
  Slot* const slot = free_.back();
  free_.pop_back();
  start_call(*slot);
}

void SimLoad::start_call(Slot& slot) {
  slot.row = started_++;
  log_.started(slot.row, now_ns());
  if (config_.dial_anew) slot.own_channel = &cluster_.open_channel(*config_.dial_anew);
  Channel& channel = slot.own_channel != nullptr ? *slot.own_channel : channel_;
  const std::size_t row = slot.row;
  const CallId call = channel.call(
      slot.exchange, {config_.wait_for_ready, cluster_.clock().now() + config_.timeout},
      [self = shared_from_this(), &slot](const CallResult& result) { self->on_end(slot, result); });
  // It may have ended before we came to know its number.
  if (slot.row == row && log_.latency_ns[row] == 0 && log_.message[row] < 0) slot.call = call;
}

void SimLoad::cancel() {
  give_up_the_rest();
  for (Slot& slot : slots_) {
    if (slot.call) (slot.own_channel ? *slot.own_channel : channel_).cancel(*slot.call);
  }
}

void SimLoad::give_up_the_rest() {
  next_.cancel();
  next_call_.clear();
  while (started_ < config_.calls) {
    log_.started(started_, now_ns());
    log_.failed(started_++, now_ns(), static_cast<int>(Code::cancelled), "not started: cancelled");
    ++ended_;
  }
}

void SimLoad::on_end(Slot& slot, const CallResult& result) {
  ++ended_;
  slot.call.reset();
  if (slot.own_channel != nullptr) {
    // Not now: it is the channel that is telling us.
    Channel* const done_with = std::exchange(slot.own_channel, nullptr);
    slot.hang_up = cluster_.clock().at(cluster_.clock().now(), [&cluster = cluster_, done_with] {
      cluster.close_channel(*done_with);
    });
  }
  if (result.status.ok()) {
    const std::int32_t pod = pod_row(result.pod);
    log_.answered(slot.row, now_ns(), pod, connection_row(pod, result.connection), 0);
  } else {
    log_.failed(slot.row, now_ns(), static_cast<int>(result.status.code), result.status.message);
  }
  // Cancelled: by us, or because the channel is being closed. There will be no next one.
  if (result.status.code == Code::cancelled) return give_up_the_rest();
  if (config_.interval.count() > 0) {
    free_.push_back(&slot);
    return;
  }
  if (started_ == config_.calls) return;
  // As a task of its own: where calls fail at once, one within the other would never come back.
  next_call_.push_back(&slot);
  if (next_call_.size() > 1) return;
  next_ = cluster_.clock().at(cluster_.clock().now(), [self = shared_from_this()] {
    for (Slot* waiting : std::exchange(self->next_call_, {})) {
      if (self->started_ < self->config_.calls) self->start_call(*waiting);
    }
  });
}

std::int64_t SimLoad::now_ns() const {
  return cluster_.clock().now().time_since_epoch().count();
}

std::int32_t SimLoad::pod_row(Symbol pod) {
  const auto index = static_cast<std::size_t>(pod);
  if (index >= pod_rows_.size()) pod_rows_.resize(index + 1, -1);
  if (pod_rows_[index] < 0) {
    const auto& pods = cluster_.pods();
    const auto found = std::ranges::find(pods, pod, &SimPod::who);
    pod_rows_[index] = log_.pod_row(found->name, found->address.ip);
  }
  return pod_rows_[index];
}

std::int32_t SimLoad::connection_row(std::int32_t pod, ConnectionId connection) {
  const auto index = static_cast<std::size_t>(connection);
  if (index >= connection_rows_.size()) connection_rows_.resize(index + 1, -1);
  if (connection_rows_[index] < 0) {
    connection_rows_[index] = log_.add_connection(pod, "client:" + std::to_string(index));
  }
  return connection_rows_[index];
}

}  // namespace greetlab
