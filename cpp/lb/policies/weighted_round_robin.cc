// Takes turns, and who is less busy for what it does has more of them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "lb/connector.h"
#include "lb/policies/endpoint_list.h"
#include "lb/policies/load_watched_subchannel.h"
#include "lb/policies/registry.h"

namespace greetlab {
namespace {

struct Config {
  bool out_of_band;
  Duration reporting_period;  ///< Out of band.
  Duration blackout;
  Duration expiration;
  Duration update_period;
  double error_penalty;
};

/// What an endpoint's reports say that it is worth (A58, "Subchannel Weights"). Calls that are in
/// flight hold it.
class Weight final : public CallTracker, public LoadListener {
 public:
  Weight(const Config& config, const Clock& clock) : config_(config), clock_(clock) {}

  void on_done(const Outcome& outcome) override {
    if (outcome.load) on_load(*outcome.load);
  }

  void on_load(const LoadReport& load) override {
    const double busy =
        load.application_utilization > 0 ? load.application_utilization : load.cpu_utilization;
    if (!(load.rps > 0) || !(busy > 0)) return;  // nothing can be said: the last word counts
    const double errors = load.eps > 0 ? load.eps / load.rps * config_.error_penalty : 0;
    weight_ = load.rps / (busy + errors);
    last_updated_ = clock_.now();
    if (!non_empty_since_) non_empty_since_ = last_updated_;
  }

  /// It is READY again: what it said before is not to be trusted for a while.
  void begin_anew() { non_empty_since_.reset(); }

  /// 0: not known.
  double get() {
    if (expired()) {
      non_empty_since_.reset();
      return 0;
    }
    if (config_.blackout.count() > 0 &&
        (!non_empty_since_ || clock_.now() - *non_empty_since_ < config_.blackout)) {
      return 0;
    }
    return weight_;
  }

  bool expired() const { return clock_.now() - last_updated_ >= config_.expiration; }

  ConnectionId connection{};  // that it was READY with

 private:
  const Config config_;  // its own: it may outlive the policy
  const Clock& clock_;
  double weight_ = 0;
  std::optional<Time> non_empty_since_;
  Time last_updated_{};
};

constexpr std::uint16_t kMost = std::numeric_limits<std::uint16_t>::max();

/// The weights as whole numbers, the largest of them kMost; empty where turns are as good: fewer
/// than two are known. As C-core's and grpc-go's static_stride_scheduler have it: 0 is unknown, and
/// has the mean of those that are known; none has more than ten times the mean, or less than a
/// hundredth of it.
std::vector<std::uint16_t> scaled(std::span<const double> weights) {
  constexpr double kMaxRatio = 10;
  constexpr double kMinRatio = 0.01;
  const auto known = std::ranges::count_if(weights, [](double weight) { return weight > 0; });
  if (known < 2) return {};
  double sum = 0;
  for (const double weight : weights) sum += weight;
  const double mean = sum / static_cast<double>(known);
  const double most = std::min(std::ranges::max(weights), kMaxRatio * mean);
  const auto in_whole = [&](double weight) {
    return static_cast<std::uint16_t>(std::lround(weight * (kMost / most)));
  };
  const auto least = std::max<std::uint16_t>(
      1, static_cast<std::uint16_t>(std::lround(in_whole(mean) * kMinRatio)));
  std::vector<std::uint16_t> whole;
  whole.reserve(weights.size());
  for (const double weight : weights) {
    whole.push_back(weight > 0 ? std::max(in_whole(std::min(weight, most)), least)
                               : in_whole(mean));
  }
  return whole;
}

/// Whose turn it is.
class Schedule {
 public:
  struct Entry {
    Subchannel* subchannel;  ///< Only for a picker that is in use.
    SubchannelId id;
    std::shared_ptr<Weight> weight;
  };

  /// @param start any number.
  Schedule(std::vector<Entry> entries, std::uint32_t start)
      : entries_(std::move(entries)),
        next_(start % entries_.size()),
        round_(start / entries_.size()) {}

  const std::vector<Entry>& entries() const { return entries_; }
  std::uint32_t start() const { return static_cast<std::uint32_t>(next_); }

  /// `scaled`.
  void weigh(std::vector<std::uint16_t> weights) { weights_ = std::move(weights); }

  /// The next one. Round after round each has its chance, and takes it in as many of kMost rounds
  /// as it weighs, evenly spread; the offset keeps neighbours of one weight from standing back in
  /// the same round. The heaviest takes each, so the search ends within a round.
  const Entry& next() {
    for (;;) {
      const std::size_t place = next_;
      const std::uint64_t round = round_;
      if (++next_ == entries_.size()) {
        next_ = 0;
        ++round_;
      }
      if (weights_.empty()) return entries_[place];
      const std::uint64_t weight = weights_[place];
      constexpr std::uint64_t kOffset = kMost / 2;
      if ((weight * round + place * kOffset) % kMost >= kMost - weight) return entries_[place];
    }
  }

 private:
  const std::vector<Entry> entries_;
  std::vector<std::uint16_t> weights_;
  std::size_t next_;
  std::uint64_t round_;
};

class WeightedPicker final : public Picker {
 public:
  WeightedPicker(std::shared_ptr<Schedule> schedule, bool per_call)
      : schedule_(std::move(schedule)), per_call_(per_call), start_(schedule_->start()) {}

  Pick pick(const PickArgs&) override {
    const Schedule::Entry& next = schedule_->next();
    if (!per_call_) return PickTo{next.subchannel};
    return PickTo{next.subchannel, next.weight};
  }
  std::string_view name() const override { return "weighted_round_robin"; }
  std::uint32_t ready() const override {
    return static_cast<std::uint32_t>(schedule_->entries().size());
  }
  std::uint32_t start() const override { return start_; }

 private:
  const std::shared_ptr<Schedule> schedule_;
  const bool per_call_;
  const std::uint32_t start_;
};

/// gRFC A58, with A114's `application_utilization` before the CPU's. In C-core since 1.55, grpc-go
/// and grpc-java; gRPC C++ 1.51 has none. The text's scheduler is EDF; C-core and grpc-go have the
/// static stride one, and so has this.
class WeightedRoundRobin final : public EndpointListPolicy {
 public:
  WeightedRoundRobin(const Config& config, PolicyHelper& helper, Clock& clock)
      : EndpointListPolicy(helper, clock), config_(config), clock_(clock) {}

 private:
  std::shared_ptr<Subchannel> dress(std::shared_ptr<Subchannel> subchannel) override {
    if (!config_.out_of_band) return subchannel;
    auto weight = weight_of(subchannel->address());
    return std::make_shared<LoadWatchedSubchannel>(std::move(subchannel), config_.reporting_period,
                                                   std::move(weight), clock_, helper().rng());
  }

  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    forget_expired(ready);
    std::set<SubchannelId> now;
    std::vector<Schedule::Entry> entries;
    for (Subchannel* const one : ready) {
      const SubchannelId id = one->id();
      if (!now.insert(id).second) continue;  // A58: an address that is listed twice has one share
      auto weight = weight_of(one->address());
      const ConnectionId connection = one->connection()->id();
      if (!ready_.contains(id) || weight->connection != connection) weight->begin_anew();
      weight->connection = connection;
      entries.push_back({one, id, std::move(weight)});
    }
    ready_ = std::move(now);
    const auto start = static_cast<std::uint32_t>(helper().rng().next());
    schedule_ = std::make_shared<Schedule>(std::move(entries), start);
    weigh();
    return std::make_unique<WeightedPicker>(schedule_, !config_.out_of_band);
  }

  std::shared_ptr<Weight>& weight_of(const Address& address) {
    auto& weight = weights_[address];
    if (weight == nullptr) weight = std::make_shared<Weight>(config_, clock_);
    return weight;
  }

  // A name has many addresses over months. Those that are not READY now may be again.
  void forget_expired(const std::vector<Subchannel*>& ready) {
    std::set<Address> wanted;
    for (const Subchannel* const one : ready) wanted.insert(one->address());
    std::erase_if(weights_, [&](const auto& one) {
      return one.second.use_count() == 1 && one.second->expired() && !wanted.contains(one.first);
    });
  }

  // Now, and again and again.
  void weigh() {
    std::vector<double> weights;
    for (const Schedule::Entry& one : schedule_->entries()) weights.push_back(one.weight->get());
    std::vector<std::uint16_t> whole = scaled(weights);
    tell(weights, whole);
    schedule_->weigh(std::move(whole));
    timer_ = clock_.at(clock_.now() + config_.update_period, [this] { weigh(); });
  }

  // Who gets how much, where it has changed. As long as nothing is known there is nothing to tell.
  void tell(const std::vector<double>& weights, const std::vector<std::uint16_t>& whole) {
    if (whole.empty() && told_.empty()) return;
    std::uint64_t sum = 0;
    for (const std::uint16_t weight : whole) sum += weight;
    std::map<SubchannelId, Share> now;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::uint64_t mine = whole.empty() ? 1 : whole[i];
      const std::uint64_t all = whole.empty() ? weights.size() : sum;
      const Share share{static_cast<std::uint32_t>((mine * 1000 + all / 2) / all),
                        !whole.empty() && weights[i] > 0};
      const SubchannelId id = schedule_->entries()[i].id;
      now[id] = share;
      if (const auto before = told_.find(id); before != told_.end() && before->second == share) {
        continue;
      }
      helper().trace().emit(helper().who(), EventId::none,
                            [&] { return WeightChanged{id, share.of_1000, share.reported}; });
    }
    told_ = std::move(now);
    if (whole.empty()) told_.clear();
  }

  struct Share {
    std::uint32_t of_1000;
    bool reported;
    bool operator==(const Share&) const = default;
  };

  const Config config_;
  Clock& clock_;
  std::map<Address, std::shared_ptr<Weight>> weights_;
  std::set<SubchannelId> ready_;  // with the last picker
  std::shared_ptr<Schedule> schedule_;
  std::map<SubchannelId, Share> told_;
  Timer timer_;
};

constexpr std::int64_t in_seconds(std::int64_t count) {
  return Duration(std::chrono::seconds(count)).count();
}

}  // namespace

PolicyType weighted_round_robin() {
  constexpr std::int64_t kLongest = Duration(std::chrono::hours(24 * 365 * 100)).count();
  return {
      .name = "weighted_round_robin",
      .fields = {{"enableOobLoadReport", 0, 0, 1, FieldUnit::truth},
                 {"oobReportingPeriod", in_seconds(10), 0, kLongest, FieldUnit::nanoseconds},
                 {"blackoutPeriod", in_seconds(10), 0, kLongest, FieldUnit::nanoseconds},
                 {"weightExpirationPeriod", in_seconds(180), 0, kLongest, FieldUnit::nanoseconds},
                 {"weightUpdatePeriod", in_seconds(1), 0, kLongest, FieldUnit::nanoseconds},
                 {"errorUtilizationPenalty", 1'000'000, 0, 1'000'000'000'000,
                  FieldUnit::millionths}},
      .make = [](const PolicyConfig& told, PolicyHelper& helper, Clock& clock) {
        const auto duration = [&](const char* name) { return Duration(told.fields.at(name)); };
        // A58: less than that is taken as that.
        constexpr Duration kLeastUpdatePeriod = std::chrono::milliseconds(100);
        return std::make_unique<WeightedRoundRobin>(
            Config{told.fields.at("enableOobLoadReport") != 0, duration("oobReportingPeriod"),
                   duration("blackoutPeriod"), duration("weightExpirationPeriod"),
                   std::max(duration("weightUpdatePeriod"), kLeastUpdatePeriod),
                   static_cast<double>(told.fields.at("errorUtilizationPenalty")) / 1e6},
            helper, clock);
      }};
}

}  // namespace greetlab
