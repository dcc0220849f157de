// A subchannel whose server tells its load every so often.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "lb/delegating_subchannel.h"
#include "lb/subchannel_stream.h"

namespace greetlab {

class LoadListener {
 public:
  virtual ~LoadListener() = default;
  virtual void on_load(const LoadReport& load) = 0;
};

/// Out-of-band load reports (gRFC A51): while it is connected, on a stream beside the calls. A
/// server that has none is not asked again.
class LoadWatchedSubchannel final : public DelegatingSubchannel,
                                    private Subchannel::Watcher,
                                    private SubchannelStream<LoadReport>::Owner {
 public:
  /// @param clock, rng: outlive it.
  LoadWatchedSubchannel(std::shared_ptr<Subchannel> wrapped, Duration interval,
                        std::shared_ptr<LoadListener> listener, Clock& clock, Rng& rng)
      : DelegatingSubchannel(std::move(wrapped)),
        listener_(std::move(listener)),
        stream_([interval](Link& link,
                           LoadWatcher& watcher) { return link.watch_load(interval, watcher); },
                *this, clock, rng) {
    this->wrapped().watch(*this);
    if (state() == ConnectivityState::ready) stream_.start(*connection());
  }
  ~LoadWatchedSubchannel() override { wrapped().unwatch(*this); }
  LoadWatchedSubchannel(const LoadWatchedSubchannel&) = delete;
  LoadWatchedSubchannel& operator=(const LoadWatchedSubchannel&) = delete;

 private:
  void on_state(ConnectivityState state, EventId) override {
    stream_.stop();
    if (state == ConnectivityState::ready) stream_.start(*connection());
  }
  void on_message(const LoadReport& load, EventId) override { listener_->on_load(load); }
  void on_stream_end(const Status&, std::optional<Time>, EventId) override {}

  const std::shared_ptr<LoadListener> listener_;
  SubchannelStream<LoadReport> stream_;
};

}  // namespace greetlab
