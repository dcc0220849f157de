// A pod's health, told to a client that watches it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "lb/connector.h"
#include "sim/side_stream.h"

namespace greetlab {

/// grpc.health.v1.Health/Watch over one connection: a pod says how it is as soon as it is asked,
/// and again whenever that changes. What it says takes its time, and comes in the order in which it
/// was said.
class HealthStream final : public Stream {
 public:
  /// Those of one connection, for the pod to tell.
  using Watching = std::vector<HealthStream*>;

  /// @param asked the event that the first answer follows from. watcher: outlives it.
  HealthStream(Clock& clock, std::shared_ptr<SideStreams> way, std::string service,
               HealthWatcher& watcher, EventId asked)
      : clock_(clock), way_(std::move(way)), service_(std::move(service)), watcher_(watcher) {
    way_->begin();
    way_->watching().push_back(this);
    said_ = clock_.now() + way_->one_way();
    arrives_ = clock_.at(said_, [this, asked] {
      asked_ = true;
      say(asked);
    });
  }
  ~HealthStream() override {
    std::erase(way_->watching(), this);
    way_->end();
  }
  HealthStream(const HealthStream&) = delete;
  HealthStream& operator=(const HealthStream&) = delete;

  /// The pod says how it is.
  void say(EventId cause) {
    if (!asked_) return;  // it will
    const Health health = of_the_pod();
    said_ = std::max(said_, clock_.now() + way_->one_way());
    std::erase_if(on_the_way_, [](const auto& one) { return one->told; });
    const auto news = on_the_way_.emplace_back(std::make_shared<News>());
    news->timer = clock_.at(said_, [this, weak = std::weak_ptr(news), health, cause] {
      weak.lock()->told = true;
      if (!way_->open()) return;
      way_->heard();
      watcher_.on_message(health, cause);  // may be the end of us
    });
  }

 private:
  struct News {
    bool told = false;
    Timer timer;
  };

  // As greet-server's health service has it.
  Health of_the_pod() const {
    if (!service_.empty() && service_ != "greet.GreetService") return Health::service_unknown;
    return way_->pod().healthy ? Health::serving : Health::not_serving;
  }

  Clock& clock_;
  const std::shared_ptr<SideStreams> way_;
  const std::string service_;
  HealthWatcher& watcher_;
  bool asked_ = false;  // the question has come to the pod
  Time said_{};         // when what it said last arrives
  Timer arrives_;
  std::vector<std::shared_ptr<News>> on_the_way_;
};

}  // namespace greetlab
