// A subchannel that is READY only while its server says that it is well.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lb/policy.h"
#include "lb/subchannel_stream.h"
#include "lb/veiled_subchannel.h"

namespace greetlab {

/// Client-side health checking (gRFC A17). Once it is connected the server's health is watched, on
/// a stream beside the calls: it is CONNECTING until the first reply, READY on SERVING,
/// TRANSIENT_FAILURE on any other, with no stop at CONNECTING in between. A server that has no
/// health service counts as healthy, which is a fact; a stream that breaks does not, and is opened
/// again.
class HealthCheckedSubchannel final : public VeiledSubchannel,
                                      private SubchannelStream<Health>::Owner {
 public:
  /// @param helper, clock: outlive it.
  HealthCheckedSubchannel(std::shared_ptr<Subchannel> wrapped, std::string service,
                          PolicyHelper& helper, Clock& clock)
      : VeiledSubchannel(std::move(wrapped)),
        service_(std::move(service)),
        helper_(helper),
        stream_([this](Link& link,
                       HealthWatcher& watcher) { return link.watch_health(service_, watcher); },
                *this, clock, helper.rng()) {
    if (state() != ConnectivityState::ready) return;
    begin_with(ConnectivityState::connecting);
    watch_health();
  }

  const std::string& service() const { return service_; }

 private:
  void on_state(ConnectivityState state, EventId cause) override {
    stream_.stop();
    if (state != ConnectivityState::ready) return unveil(cause);
    watch_health();
    show(ConnectivityState::connecting, cause);
  }

  void watch_health() {
    Link& link = *wrapped().connection();
    connection_ = link.id();
    stream_.start(link);
  }

  void on_message(const Health& health, EventId cause) override {
    Trace& trace = helper_.trace();
    const EventId said = trace.emit(helper_.who(), cause, [&] {
      return HealthReported{id(), connection_, trace.symbol(service_),
                            trace.symbol(to_string(health))};
    });
    if (health == Health::serving) return unveil(said);
    show_failure({Code::unavailable, "its health service says " + std::string(to_string(health))},
                 said);
  }

  void on_stream_end(const Status& why, std::optional<Time> again, EventId cause) override {
    Trace& trace = helper_.trace();
    const EventId ended = trace.emit(helper_.who(), cause, [&] {
      return HealthWatchEnded{id(), connection_, why.code, trace.symbol(why.message),
                              again.value_or(Time{})};
    });
    if (!again) return unveil(ended);
    show_failure({Code::unavailable, "its health service failed with " +
                                         std::string(to_string(why.code)) + ": " + why.message},
                 ended);
  }

  void on_stream_again(EventId cause) override { show(ConnectivityState::connecting, cause); }

  const std::string service_;
  PolicyHelper& helper_;
  ConnectionId connection_{};  // that is asked
  SubchannelStream<Health> stream_;
};

/// The subchannel, health-checked where the channel is told to (A17: by every policy but
/// pick_first).
inline std::shared_ptr<Subchannel> health_checked(std::shared_ptr<Subchannel> plain,
                                                  PolicyHelper& helper, Clock& clock) {
  const std::optional<std::string> service = helper.health_service();
  if (!service) return plain;
  return std::make_shared<HealthCheckedSubchannel>(std::move(plain), *service, helper, clock);
}

}  // namespace greetlab
