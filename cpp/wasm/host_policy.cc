#include "wasm/host_policy.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/status.h"
#include "lb/connector.h"
#include "lb/policies/endpoint_list.h"
#include "lb/subchannel.h"

#if !defined(__wasm__)
// Outside of a page there is nobody to ask.
std::int32_t greetlab_pick(const double*, std::uint32_t, std::uint32_t, std::uint32_t) {
  return -2;
}
#endif

namespace greetlab {
namespace {

constexpr std::int32_t kWait = -1;
constexpr double kShare = 1.0 / 8;  // of the newest answer in the mean, as TCP's RTT has it

double seconds(Duration time) {
  return static_cast<double>(time.count()) / 1e9;
}

/// What a client has seen of one subchannel.
struct Seen {
  std::multiset<Time> in_flight;  // when they began
  std::uint32_t answered = 0;
  std::uint32_t failed = 0;
  double last = 0;
  double mean = 0;

  void done(Time began, Time now, const Outcome& outcome) {
    in_flight.erase(in_flight.find(began));
    if (outcome.unsent) return;
    if (!outcome.status.ok()) {
      ++failed;
      return;
    }
    last = seconds(now - began);
    mean = answered++ == 0 ? last : mean + (last - mean) * kShare;
  }
};

class OneCall final : public CallTracker {
 public:
  OneCall(std::shared_ptr<Seen> seen, const Clock& clock)
      : seen_(std::move(seen)), clock_(clock), began_(clock.now()) {
    seen_->in_flight.insert(began_);
  }
  void on_done(const Outcome& outcome) override { seen_->done(began_, clock_.now(), outcome); }

 private:
  const std::shared_ptr<Seen> seen_;
  const Clock& clock_;
  const Time began_;
};

class HostPicker final : public Picker {
 public:
  HostPicker(std::vector<Subchannel*> ready, std::vector<std::shared_ptr<Seen>> seen, Symbol client,
             const Clock& clock)
      : ready_(std::move(ready)), seen_(std::move(seen)), client_(client), clock_(clock) {}

  Pick pick(const PickArgs& args) override {
    using Row = std::array<double, 7>;
    std::vector<Row> rows;
    const Time now = clock_.now();
    for (std::size_t i = 0; i < ready_.size(); ++i) {
      const Seen& seen = *seen_[i];
      const double waits = seen.in_flight.empty() ? 0 : seconds(now - *seen.in_flight.begin());
      rows.push_back({static_cast<double>(ready_[i]->id()),
                      static_cast<double>(seen.in_flight.size()),
                      static_cast<double>(seen.answered), static_cast<double>(seen.failed),
                      seen.last, seen.mean, waits});
    }
    const std::int32_t chosen =
        greetlab_pick(rows.front().data(), static_cast<std::uint32_t>(rows.size()),
                      static_cast<std::uint32_t>(args.call), static_cast<std::uint32_t>(client_));
    if (chosen == kWait) return PickWait{};
    if (chosen < 0 || static_cast<std::size_t>(chosen) >= ready_.size()) {
      return PickDrop{{Code::internal, "the picker of your own did not choose"}};
    }
    const auto index = static_cast<std::size_t>(chosen);
    return PickTo{ready_[index], std::make_shared<OneCall>(seen_[index], clock_)};
  }
  std::string_view name() const override { return kOwnPolicy; }
  std::uint32_t ready() const override { return static_cast<std::uint32_t>(ready_.size()); }

 private:
  const std::vector<Subchannel*> ready_;
  const std::vector<std::shared_ptr<Seen>> seen_;
  const Symbol client_;
  const Clock& clock_;
};

class HostPolicy final : public EndpointListPolicy {
 public:
  HostPolicy(PolicyHelper& helper, Clock& clock)
      : EndpointListPolicy(helper, clock), clock_(clock) {}

 private:
  // Who was not READY in one of them begins anew, as in InFlightCounts.
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    std::map<SubchannelId, std::shared_ptr<Seen>> kept;
    std::vector<std::shared_ptr<Seen>> rows;
    for (const Subchannel* const one : ready) {
      auto& seen = kept[one->id()];
      if (!seen) seen = std::move(seen_[one->id()]);
      if (!seen) seen = std::make_shared<Seen>();
      rows.push_back(seen);
    }
    seen_ = std::move(kept);
    return std::make_unique<HostPicker>(std::move(ready), std::move(rows), helper().who(), clock_);
  }

  Clock& clock_;
  std::map<SubchannelId, std::shared_ptr<Seen>> seen_;
};

}  // namespace

PolicyConfig host_policy() {
  PolicyConfig config{std::string(kOwnPolicy)};
  config.make = [](const PolicyConfig&, PolicyHelper& helper, Clock& clock) {
    return std::make_unique<HostPolicy>(helper, clock);
  };
  return config;
}

}  // namespace greetlab
