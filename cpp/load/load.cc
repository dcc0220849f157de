#include "load/load.h"

#include <algorithm>
#include <utility>

namespace greetlab {

std::shared_ptr<Load> Load::start(std::unique_ptr<LoadDriver> driver, Channel& channel,
                                  LoadConfig config, CallLog log) {
  const std::shared_ptr<Load> load(
      new Load(std::move(driver), channel, std::move(config), std::move(log)));
  // Between two calls there is none whose end would tell.
  load->on_close_ = std::make_shared<const Task>([weak = std::weak_ptr(load)] {
    if (const auto self = weak.lock()) self->give_up_the_rest();
  });
  channel.on_close(load->on_close_);
  if (!load->done()) load->self_ = load;
  if (!load->config_.interval.is_zero()) {
    load->start_by_the_clock();
    return load;
  }
  for (std::size_t i = 0; i < std::min(load->config_.concurrency, load->config_.calls); ++i) {
    load->start_call(load->make_slot());
  }
  return load;
}

Load::Load(std::unique_ptr<LoadDriver> driver, Channel& channel, LoadConfig config, CallLog log)
    : driver_(std::move(driver)),
      channel_(channel),
      config_(std::move(config)),
      rng_(config_.seed),
      log_(std::move(log)) {}

Load::Slot& Load::make_slot() {
  Slot& slot = slots_.emplace_back();
  slot.metadata = config_.metadata;
  if (config_.keys > 0) slot.metadata.emplace_back(config_.key_header, "");
  slot.subchannel_call = driver_->make_subchannel_call(slot.metadata);
  return slot;
}

void Load::start_by_the_clock() {
  if (started_ == config_.calls) return;
  if (free_.empty()) free_.push_back(&make_slot());
  // Each is due after the one before it, however late that one was: a client that waits for itself
  // would not see how long its calls would have waited. Late ones, one a task.
  const Time now = driver_->clock().now();
  due_ = (started_ == 0 ? now : due_) + config_.interval.draw(rng_);
  next_ = driver_->clock().at(std::max(due_, now), [this] { start_by_the_clock(); });
  Slot* const slot = free_.back();
  free_.pop_back();
  start_call(*slot);
}

void Load::start_call(Slot& slot) {
  slot.row = started_++;
  const Time now = driver_->clock().now();
  log_.started(slot.row, now.time_since_epoch().count());
  if (config_.keys > 0) slot.metadata.back().second = std::to_string(slot.row % config_.keys + 1);
  slot.own_channel = driver_->open_channel();
  Channel& channel = slot.own_channel != nullptr ? *slot.own_channel : channel_;
  // What is held here fits into a std::function: a call more costs no memory.
  const Metadata* const metadata = slot.metadata.empty() ? nullptr : &slot.metadata;
  slot.call = channel.call(*slot.subchannel_call,
                           {config_.wait_for_ready, now + config_.timeout, kGreetMethod, metadata},
                           [this, &slot](const CallResult& result) { on_end(slot, result); });
}

void Load::cancel() {
  const auto self = shared_from_this();
  give_up_the_rest();
  for (Slot& slot : slots_) {
    if (slot.call) (slot.own_channel ? *slot.own_channel : channel_).cancel(*slot.call);
  }
}

void Load::stop() {
  const auto self = shared_from_this();
  give_up_the_rest();
}

void Load::give_up_the_rest() {
  next_.cancel();
  next_call_.clear();
  while (started_ < config_.calls) {
    log_.started(started_, now_ns());
    log_.failed(started_++, now_ns(), static_cast<int>(Code::cancelled), "not started: cancelled");
    ++ended_;
  }
  if (done()) self_.reset();  // whoever asks for this holds us
}

void Load::on_end(Slot& slot, const CallResult& result) {
  ++ended_;
  const std::shared_ptr<Load> last = done() ? std::exchange(self_, nullptr) : nullptr;
  slot.call.reset();
  if (slot.own_channel != nullptr) {
    // Not now: it is the channel that is telling us.
    Channel* const done_with = std::exchange(slot.own_channel, nullptr);
    slot.hang_up = driver_->clock().at(
        driver_->clock().now(),
        [self = shared_from_this(), done_with] { self->driver_->close_channel(*done_with); });
  }
  if (result.status.ok()) {
    driver_->answered(log_, slot.row, result, *result.answered);
  } else {
    log_.failed(slot.row, now_ns(), static_cast<int>(result.status.code), result.status.message);
  }
  if (!config_.interval.is_zero()) {
    free_.push_back(&slot);
    return;
  }
  if (started_ == config_.calls) return;
  // All that end at once are followed at once, and together: what they send is written together.
  next_call_.push_back(&slot);
  if (next_call_.size() > 1) return;
  next_ = driver_->clock().at(driver_->clock().now(), [this] {
    std::swap(next_call_, following_);  // both keep their memory
    for (Slot* waiting : following_) {
      if (started_ < config_.calls) start_call(*waiting);
    }
    following_.clear();
  });
}

std::int64_t Load::now_ns() const {
  return driver_->clock().now().time_since_epoch().count();
}

}  // namespace greetlab
