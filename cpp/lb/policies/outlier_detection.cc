// A parent of any policy that takes endpoints out of its sight whose calls fail more often than
// they should.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/sort.h"
#include "lb/connector.h"
#include "lb/delegating_helper.h"
#include "lb/policies/registry.h"
#include "lb/veiled_subchannel.h"

namespace greetlab {
namespace {

using State = ConnectivityState;

/// One of the two algorithms, as a service config has it. Without it: not given.
struct Ejection {
  bool on;
  std::int64_t limit;  ///< successRateEjection.stdevFactor, failurePercentageEjection.threshold
  std::uint64_t enforcement_percentage;
  std::uint64_t minimum_hosts;
  std::uint64_t request_volume;
};

struct Config {
  Duration interval;
  Duration base_ejection_time;
  Duration max_ejection_time;
  std::uint64_t max_ejection_percent;
  Ejection success_rate;
  Ejection failure_percentage;

  bool counts() const { return success_rate.on || failure_percentage.on; }
};

/// How the calls of an endpoint ended.
struct Tally {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;

  std::uint64_t calls() const { return succeeded + failed; }
  /// In millionths. Integers, here and below: the same everywhere.
  std::int64_t success_rate() const {
    return static_cast<std::int64_t>(succeeded * 1'000'000 / calls());
  }
};

class Wrapper;

/// What is known of an endpoint (A50: an entry of the map; by all of its addresses, A61). Calls
/// that are in flight hold it.
class Watched final : public CallTracker {
 public:
  // Any status but OK is a failure. Of a call that was never sent there is nothing to be learned.
  void on_done(const Outcome& outcome) override {
    if (!outcome.unsent) ++(outcome.status.ok() ? now.succeeded : now.failed);
  }

  Tally now;   // since the last sweep
  Tally last;  // in the interval before it: what is judged
  bool ejected = false;
  Time since{};     // it is
  EventId event{};  // of its ejection
  std::int64_t multiplier =
      0;  // of its time; how often it was, and one less for each good interval
};

/// Tells two of the end of a call.
class Both final : public CallTracker {
 public:
  Both(std::shared_ptr<CallTracker> first, std::shared_ptr<CallTracker> second)
      : first(std::move(first)), second(std::move(second)) {}
  void on_done(const Outcome& outcome) override {
    first->on_done(outcome);
    second->on_done(outcome);
  }

  const std::shared_ptr<CallTracker> first;
  const std::shared_ptr<CallTracker> second;
};

/// A subchannel as the child sees it. All that wait for one address share one.
class Wrapper final : public VeiledSubchannel {
 public:
  using ById = std::map<SubchannelId, Wrapper*>;

  /// @param by_id knows it while it is there; outlives it.
  Wrapper(std::shared_ptr<Subchannel> wrapped, ById& by_id)
      : VeiledSubchannel(std::move(wrapped)), by_id_(by_id) {
    by_id_[id()] = this;
  }
  ~Wrapper() override { by_id_.erase(id()); }

  /// Whose it is from now on; nullptr: of none that is listed, and so it stays as it is.
  void belong_to(std::shared_ptr<Watched> endpoint) {
    endpoint_ = std::move(endpoint);
    both_.reset();
    if (endpoint_ == nullptr || endpoint_->ejected == ejected_) return;
    ejected_ ? uneject(endpoint_->event) : eject(endpoint_->event);
  }
  const std::shared_ptr<Watched>& endpoint() const { return endpoint_; }

  void eject(EventId cause) {
    ejected_ = true;
    show_failure({Code::unavailable, "ejected by outlier detection"}, cause);
  }
  void uneject(EventId cause) {
    ejected_ = false;
    unveil(cause);
  }

  /// Who is to hear of the end of a call: the child's tracker, if it has one, and the endpoint. The
  /// child mostly has one and the same, and then this asks for no memory.
  std::shared_ptr<CallTracker> tracker(std::shared_ptr<CallTracker> childs) {
    if (endpoint_ == nullptr) return childs;
    if (childs == nullptr) return endpoint_;
    if (both_ == nullptr || both_->first != childs) {
      both_ = std::make_shared<Both>(std::move(childs), endpoint_);
    }
    return both_;
  }

 private:
  void on_state(State, EventId cause) override {
    if (!ejected_) unveil(cause);
  }

  ById& by_id_;
  std::shared_ptr<Watched> endpoint_;
  bool ejected_ = false;
  std::shared_ptr<Both> both_;
};

class CountingPicker final : public Picker {
 public:
  CountingPicker(std::unique_ptr<Picker> child, const Wrapper::ById& by_id)
      : child_(std::move(child)), by_id_(by_id) {}

  Pick pick(const PickArgs& args) override {
    Pick pick = child_->pick(args);
    if (auto* const to = std::get_if<PickTo>(&pick)) {
      // By its number: the child may have wrapped it again.
      if (const auto found = by_id_.find(to->subchannel->id()); found != by_id_.end()) {
        to->tracker = found->second->tracker(std::move(to->tracker));
      }
    }
    return pick;
  }
  std::string_view name() const override { return child_->name(); }
  std::uint32_t ready() const override { return child_->ready(); }
  std::uint32_t start() const override { return child_->start(); }

 private:
  const std::unique_ptr<Picker> child_;
  const Wrapper::ById& by_id_;
};

/// gRFC A50, as amended by A61. In grpc-java, grpc-go and C-core, where 1.51 has it too; all of
/// them call it `outlier_detection_experimental` in a service config.
///
/// Where the text leaves something open, or they all do otherwise, it is as they have it:
/// - an endpoint is ejected where fewer than `maxEjectionPercent` of all are (the text: where no
///   more than that are), so it takes no more than its share, rounded up; the first one always;
/// - `minimumHosts` counts those with calls enough, for failurePercentageEjection, too;
/// - one that is ejected is not ejected again.
///
/// A child that is a pick_first, or has one at its end, is left alone: it would hang up and dial
/// (A61: ejection reaches a pick_first only below a policy that has one for each endpoint).
class OutlierDetection final : public LbPolicy, private DelegatingHelper {
 public:
  OutlierDetection(const Config& config, const PolicyConfig& child, PolicyHelper& helper,
                   Clock& clock)
      : DelegatingHelper(helper),
        config_(config),
        clock_(clock),
        child_(make_policy(child, *this, clock)) {}

  bool update(const Resolution& update, EventId cause) override {
    if (update.status.ok()) list(update.endpoints);
    if (config_.counts() && !begun_) {
      begun_ = true;
      wait();
    }
    return child_->update(update, cause);
  }

  void exit_idle(EventId cause) override { child_->exit_idle(cause); }

 private:
  using Key = std::vector<Address>;

  // --- What the child finds

  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    std::shared_ptr<Subchannel> wrapped = DelegatingHelper::subchannel(address, cause);
    const auto there = by_id_.find(wrapped->id());
    if (there != by_id_.end()) return there->second->shared_from_this();
    const auto made = std::make_shared<Wrapper>(std::move(wrapped), by_id_);
    made->belong_to(endpoint_of(address));
    return made;
  }

  void publish(State state, std::unique_ptr<Picker> picker, const Status& why,
               EventId cause) override {
    if (config_.counts() && state == State::ready) {
      picker = std::make_unique<CountingPicker>(std::move(picker), by_id_);
    }
    DelegatingHelper::publish(state, std::move(picker), why, cause);
  }

  // --- The endpoints

  void list(const std::vector<Endpoint>& endpoints) {
    std::map<Key, std::shared_ptr<Watched>> old = std::exchange(endpoints_, {});
    by_address_.clear();
    for (const Endpoint& one : endpoints) {
      Key key = one.addresses;
      sort(key);
      auto& endpoint = endpoints_[key];
      if (endpoint == nullptr) endpoint = std::move(old[key]);
      if (endpoint == nullptr) endpoint = std::make_shared<Watched>();
      for (const Address& address : key) by_address_.emplace(address, endpoint);
    }
    for (const auto& wrapper : wrappers()) wrapper->belong_to(endpoint_of(wrapper->address()));
  }

  std::shared_ptr<Watched> endpoint_of(const Address& address) const {
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? nullptr : found->second;
  }

  // In the order of their numbers, which is the same everywhere. Held: what one of them is told may
  // be the end of others.
  std::vector<std::shared_ptr<Wrapper>> wrappers() const {
    std::vector<std::shared_ptr<Wrapper>> all;
    for (const auto& [id, wrapper] : by_id_) {
      all.push_back(std::static_pointer_cast<Wrapper>(wrapper->shared_from_this()));
    }
    return all;
  }

  // --- The sweep (A50, "Outlier Detection Behavior": numbered as there)

  void wait() {
    // The text allows 0; the clock would never get any further.
    constexpr Duration kLeast = std::chrono::milliseconds(1);
    timer_ = clock_.at(clock_.now() + std::max(config_.interval, kLeast), [this] { sweep(); });
  }

  void sweep() {
    const Time now = clock_.now();                    // 1.
    for (const auto& [key, endpoint] : endpoints_) {  // 2.
      endpoint->last = std::exchange(endpoint->now, {});
    }
    if (config_.success_rate.on) judge_by_success_rate(now);              // 3.
    if (config_.failure_percentage.on) judge_by_failure_percentage(now);  // 4.
    for (const auto& [key, endpoint] : with_at_least(0)) {                // 5.
      if (!endpoint->ejected) {
        endpoint->multiplier = std::max<std::int64_t>(endpoint->multiplier - 1, 0);
      } else if (now - endpoint->since >= time_out(endpoint->multiplier)) {
        // The text has "after". A clock that ticks is always a little late, and then it is at this
        // sweep; one that jumps is in time, and would be a whole interval late.
        uneject(key, *endpoint, now);
      }
    }
    wait();
  }

  /// min(base * multiplier, max(base, max))
  Duration time_out(std::int64_t multiplier) const {
    const Duration base = config_.base_ejection_time;
    const Duration most = std::max(base, config_.max_ejection_time);
    return base.count() > 0 && multiplier > most / base ? most : base * multiplier;
  }

  void judge_by_success_rate(Time now) {
    const Ejection& how = config_.success_rate;
    // Who had no call has no rate.
    const Endpoints judged = with_at_least(std::max<std::uint64_t>(how.request_volume, 1));
    if (judged.empty() || judged.size() < how.minimum_hosts) return;
    const auto count = static_cast<std::int64_t>(judged.size());
    std::int64_t mean = 0;
    for (const auto& [key, endpoint] : judged) mean += endpoint->last.success_rate();
    mean /= count;
    std::int64_t variance = 0;
    for (const auto& [key, endpoint] : judged) {
      const std::int64_t off = endpoint->last.success_rate() - mean;
      variance += off * off;
    }
    variance /= count;
    const auto deviation = static_cast<std::int64_t>(std::sqrt(static_cast<double>(variance)));
    const std::int64_t least = mean - deviation * how.limit / 1000;
    for (const auto& [key, endpoint] : judged) {
      if (full()) return;
      if (endpoint->last.success_rate() < least) {
        maybe_eject(key, *endpoint, how, "success_rate", least, now);
      }
    }
  }

  void judge_by_failure_percentage(Time now) {
    const Ejection& how = config_.failure_percentage;
    // Who had no call has no rate.
    const Endpoints judged = with_at_least(std::max<std::uint64_t>(how.request_volume, 1));
    if (judged.size() < how.minimum_hosts) return;
    for (const auto& [key, endpoint] : judged) {
      if (full()) return;
      if (endpoint->last.failed * 100 >
          endpoint->last.calls() * static_cast<std::uint64_t>(how.limit)) {
        maybe_eject(key, *endpoint, how, "failure_percentage", 1'000'000 - how.limit * 10'000, now);
      }
    }
  }

  /// Enough are ejected.
  bool full() const {
    const auto ejected = static_cast<std::uint64_t>(
        std::ranges::count_if(endpoints_, [](const auto& one) { return one.second->ejected; }));
    return ejected > 0 && ejected * 100 >= config_.max_ejection_percent * endpoints_.size();
  }

  using Endpoints = std::vector<std::pair<Key, std::shared_ptr<Watched>>>;

  // Copies: what an ejection leads to may bring a new list.
  Endpoints with_at_least(std::uint64_t calls) const {
    Endpoints enough;
    for (const auto& one : endpoints_) {
      if (one.second->last.calls() >= calls) enough.emplace_back(one);
    }
    return enough;
  }

  // --- Ejection

  void maybe_eject(const Key& key, Watched& endpoint, const Ejection& how,
                   std::string_view algorithm, std::int64_t least, Time now) {
    if (endpoint.ejected || rng().below(100) >= how.enforcement_percentage) return;
    endpoint.ejected = true;
    endpoint.since = now;
    ++endpoint.multiplier;
    endpoint.event = trace().emit(who(), EventId::none, [&] {
      return EndpointEjected{trace().symbol(to_string(key)),
                             trace().symbol(algorithm),
                             static_cast<std::uint32_t>(endpoint.last.calls()),
                             static_cast<std::uint32_t>(endpoint.last.failed),
                             static_cast<std::uint32_t>(std::max<std::int64_t>(least, 0)),
                             static_cast<std::uint32_t>(endpoint.multiplier)};
    });
    for (const auto& wrapper : wrappers()) {
      if (wrapper->endpoint().get() == &endpoint) wrapper->eject(endpoint.event);
    }
  }

  void uneject(const Key& key, Watched& endpoint, Time now) {
    endpoint.ejected = false;
    const EventId returned = trace().emit(who(), endpoint.event, [&] {
      return EndpointReturned{trace().symbol(to_string(key)), now - endpoint.since};
    });
    for (const auto& wrapper : wrappers()) {
      if (wrapper->endpoint().get() == &endpoint) wrapper->uneject(returned);
    }
  }

  const Config config_;
  Clock& clock_;
  std::map<Key, std::shared_ptr<Watched>> endpoints_;
  std::map<Address, std::shared_ptr<Watched>> by_address_;
  Wrapper::ById by_id_;
  bool begun_ = false;
  Timer timer_;
  const std::unique_ptr<LbPolicy> child_;  // last: it goes first
};

constexpr std::int64_t kLongest = Duration(std::chrono::hours(24 * 365 * 100)).count();
constexpr std::int64_t kAny = std::numeric_limits<std::uint32_t>::max();

constexpr std::int64_t in_seconds(std::int64_t count) {
  return Duration(std::chrono::seconds(count)).count();
}

Config config_of(const PolicyConfig& told) {
  const auto field = [&](std::string_view name) { return told.fields.find(name)->second; };
  const auto ejection = [&](const std::string& name, std::string_view limit) {
    const auto count = [&](std::string_view part) {
      return static_cast<std::uint64_t>(field(name + "." + std::string(part)));
    };
    return Ejection{field(name) != 0, field(name + "." + std::string(limit)),
                    count("enforcementPercentage"), count("minimumHosts"), count("requestVolume")};
  };
  Config config{Duration(field("interval")),
                Duration(field("baseEjectionTime")),
                Duration(field("maxEjectionTime")),
                static_cast<std::uint64_t>(field("maxEjectionPercent")),
                ejection("successRateEjection", "stdevFactor"),
                ejection("failurePercentageEjection", "threshold")};
  const PolicyConfig* leaf = &told;
  while (leaf->child != nullptr) leaf = leaf->child.get();
  if (leaf->policy == "pick_first" && !leaf->make)
    config.success_rate.on = config.failure_percentage.on = false;
  return config;
}

}  // namespace

PolicyType outlier_detection() {
  return {.name = "outlier_detection_experimental",
          .fields = {{"interval", in_seconds(10), 0, kLongest, FieldUnit::nanoseconds},
                     {"baseEjectionTime", in_seconds(30), 0, kLongest, FieldUnit::nanoseconds},
                     {"maxEjectionTime", in_seconds(300), 0, kLongest, FieldUnit::nanoseconds},
                     {"maxEjectionPercent", 10, 0, 100},
                     {"successRateEjection", 0, 0, 1, FieldUnit::truth},
                     {"successRateEjection.stdevFactor", 1900, 0, kAny},
                     {"successRateEjection.enforcementPercentage", 100, 0, 100},
                     {"successRateEjection.minimumHosts", 5, 0, kAny},
                     {"successRateEjection.requestVolume", 100, 0, kAny},
                     {"failurePercentageEjection", 0, 0, 1, FieldUnit::truth},
                     {"failurePercentageEjection.threshold", 85, 0, 100},
                     {"failurePercentageEjection.enforcementPercentage", 100, 0, 100},
                     {"failurePercentageEjection.minimumHosts", 5, 0, kAny},
                     {"failurePercentageEjection.requestVolume", 50, 0, kAny}},
          .child = "round_robin",
          .make = [](const PolicyConfig& config, PolicyHelper& helper, Clock& clock) {
            return std::make_unique<OutlierDetection>(config_of(config), *config.child, helper,
                                                      clock);
          }};
}

}  // namespace greetlab
