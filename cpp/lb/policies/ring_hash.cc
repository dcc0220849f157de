// Calls with the same key go to the same pod, and when a pod comes or goes few keys move.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "core/metadata.h"
#include "core/misuse.h"
#include "core/sort.h"
#include "lb/policies/address_list.h"
#include "lb/policies/health_checked_subchannel.h"
#include "lb/policies/registry.h"
#include "lb/xxh64.h"

namespace greetlab {
namespace {

using State = ConnectivityState;

constexpr std::string_view kName = "ring_hash_experimental";
/// Larger rings are cut down to it (gRFC A42; in C-core grpc.lb.ring_hash.ring_size_cap).
constexpr std::int64_t kRingSizeCap = 4096;

/// A place on the ring: calls whose hash is this or less, down to the place before, belong here.
struct Place {
  std::uint64_t hash;
  std::size_t endpoint;
};
using Ring = std::vector<Place>;

std::uint32_t weight_of(const Endpoint& endpoint) {
  const auto found = endpoint.attributes.find("weight");
  if (found == endpoint.attributes.end()) return 1;
  const auto weight = std::strtoul(found->second.c_str(), nullptr, 10);
  return std::max<std::uint32_t>(static_cast<std::uint32_t>(weight), 1);
}

/// So many places for each endpoint as its weight says: the lightest has a whole number of them,
/// and all together at least `least` (gRFC A42; as C-core's `RingHash::Ring` lays it, step by step,
/// so that the two have the same ring).
Ring lay_ring(const std::vector<Endpoint>& endpoints, std::int64_t least, std::int64_t most) {
  double sum = 0;
  double lightest = 1;
  for (const Endpoint& endpoint : endpoints) sum += weight_of(endpoint);
  for (const Endpoint& endpoint : endpoints) {
    lightest = std::min(lightest, weight_of(endpoint) / sum);
  }
  const double places =
      std::min(std::ceil(lightest * static_cast<double>(std::min(least, kRingSizeCap))) / lightest,
               static_cast<double>(std::min(most, kRingSizeCap)));
  Ring ring;
  ring.reserve(static_cast<std::size_t>(std::ceil(places)));
  double target = 0;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const std::string address = to_string(endpoints[i].addresses.front()) + '_';
    target += places * (weight_of(endpoints[i]) / sum);
    for (std::size_t n = 0; static_cast<double>(ring.size()) < target; ++n) {
      ring.push_back({xxh64(address + std::to_string(n)), i});
    }
  }
  sort(ring, &Place::hash);
  return ring;
}

class RingHash;

/// One endpoint: a pick_first of its own that does nothing until somebody wants it.
class RingEndpoint final : public AddressList::Watcher {
 public:
  RingEndpoint(RingHash& policy, const Endpoint& endpoint)
      : policy_(policy), addresses_(interleaved(endpoint.addresses)) {}

  State state() const { return state_; }
  const Status& failure() const { return failure_; }
  Subchannel* selected() const { return selected_; }

  /// IDLE: begins to connect.
  void connect(EventId cause);
  /// The same soon, for a picker, which may do nothing by itself.
  void connect_soon(EventId cause);

 private:
  void on_ready(AddressList&, Subchannel& selected, EventId cause) override;
  void on_all_failed(AddressList&, const Status& why, EventId cause) override;
  void on_selected_lost(EventId cause) override;
  void become(State state, EventId cause);

  RingHash& policy_;
  const std::vector<Address> addresses_;
  State state_ = State::idle;
  Status failure_;
  Subchannel* selected_ = nullptr;
  std::unique_ptr<AddressList> attempts_;
  Timer soon_;
  bool is_due_ = false;
};

/// What a picker goes by: the ring, and each endpoint as it was when the picker was made.
class RingPicker final : public Picker {
 public:
  struct Seen {
    RingEndpoint* endpoint;
    State state;
    Subchannel* selected;
    Status failure;
  };

  RingPicker(std::shared_ptr<const Ring> ring, std::vector<Seen> endpoints,
             std::shared_ptr<const std::string> header, Rng& rng)
      : ring_(std::move(ring)),
        endpoints_(std::move(endpoints)),
        header_(std::move(header)),
        rng_(rng) {}

  Pick pick(const PickArgs& args) override {
    if (header_->empty()) {
      return PickFail{{Code::internal,
                       std::string(kName) +
                           " does not know what a call's key is: give it requestHashHeader (gRFC "
                           "A76), or have xDS say it, as nobody does here"}};
    }
    if (const auto key = key_of(args)) return pick_by_key(first_from(xxh64(*key)), args.cause);
    return pick_at_random(first_from(rng_.next()), args.cause);
  }

  std::string_view name() const override { return kName; }
  std::uint32_t ready() const override {
    return static_cast<std::uint32_t>(std::ranges::count(endpoints_, State::ready, &Seen::state));
  }

 private:
  /// The header's values, if it comes: several are one, with commas (as C-core looks them up).
  std::optional<std::string> key_of(const PickArgs& args) const {
    std::optional<std::string> key;
    if (args.metadata == nullptr) return key;
    for (const auto& [name, value] : *args.metadata) {
      if (name == *header_) key = key ? *key + ',' + value : value;
    }
    return key;
  }

  /// The first place at the hash or after it; after the last one comes the first.
  std::size_t first_from(std::uint64_t hash) const {
    const auto found = std::ranges::lower_bound(*ring_, hash, {}, &Place::hash);
    return found == ring_->end() ? 0 : static_cast<std::size_t>(found - ring_->begin());
  }

  const Seen& at(std::size_t place) const {
    return endpoints_[(*ring_)[place % ring_->size()].endpoint];
  }

  // The key's own pod, though the call has to wait until it is connected; but past those that
  // cannot be reached (A42).
  Pick pick_by_key(std::size_t first, EventId cause) const {
    for (std::size_t i = 0; i < ring_->size(); ++i) {
      const Seen& one = at(first + i);
      if (one.state == State::ready) return PickTo{one.selected};
      if (one.state == State::idle) one.endpoint->connect_soon(cause);
      if (one.state != State::transient_failure) {
        return PickWait{"the pod that its key belongs to is not connected yet"};
      }
    }
    return nobody(first);
  }

  // Nobody's call: the first from there that is connected, though one more may be asked to, unless
  // one is connecting already (A76).
  Pick pick_at_random(std::size_t first, EventId cause) const {
    bool connecting =
        std::ranges::find(endpoints_, State::connecting, &Seen::state) != endpoints_.end();
    for (std::size_t i = 0; i < ring_->size(); ++i) {
      const Seen& one = at(first + i);
      if (one.state == State::ready) return PickTo{one.selected};
      if (connecting || one.state != State::idle) continue;
      one.endpoint->connect_soon(cause);
      connecting = true;
    }
    return connecting ? Pick{PickWait{}} : nobody(first);
  }

  Pick nobody(std::size_t first) const {
    return PickFail{
        {Code::unavailable, "ring hash cannot find a connected endpoint; first failure: " +
                                at(first).failure.message}};
  }

  const std::shared_ptr<const Ring> ring_;
  const std::vector<Seen> endpoints_;  // in the order of the ring's numbers
  const std::shared_ptr<const std::string> header_;
  Rng& rng_;
};

/// Consistent hashing (gRFC A42, A61, A76; grpc/grpc `ring_hash.cc` of 1.84):
///
/// - each endpoint has places on a ring of hashes, about as many as every other one, or as its
///   weight says (the attribute "weight"; one that comes twice counts twice);
/// - a call goes to the next place at or after the hash of its key, which the header
///   `requestHashHeader` carries; a call without one goes anywhere;
/// - nobody is connected to before a call wants to go there.
///
/// Of n pods a new one takes 1/n of the keys. Others move as well, though fewer than that: the ring
/// keeps its size (`minRingSize`), so that everybody else has fewer places than before, and the
/// keys of a place that is gone belong to whoever comes next. Stock's ring does the same.
class RingHash final : public LbPolicy {
 public:
  RingHash(const PolicyConfig& config, PolicyHelper& helper, Clock& clock)
      : helper_(helper),
        clock_(clock),
        least_(config.fields.at("minRingSize")),
        most_(config.fields.at("maxRingSize")),
        header_(std::make_shared<const std::string>(config.texts.at("requestHashHeader"))) {}

  bool update(const Resolution& update, EventId cause) override {
    // A resolver's error with a list in hand keeps the list.
    if (!update.status.ok() && !endpoints_.empty()) return false;
    Trace& trace = helper_.trace();
    const EventId taken = trace.emit(helper_.who(), cause, [&] {
      const std::vector<Address> addresses = addresses_of(update.endpoints);
      return AddressListTaken{static_cast<ListId>(++lists_), trace.symbol(to_string(addresses)),
                              static_cast<std::uint32_t>(addresses.size()), false};
    });
    const std::vector<Endpoint> endpoints = each_once(update.endpoints);
    ring_ = std::make_shared<const Ring>(endpoints.empty() ? Ring{}
                                                           : lay_ring(endpoints, least_, most_));
    // Those that were there before keep their connection.
    std::deque<std::unique_ptr<RingEndpoint>> old = std::exchange(endpoints_, {});
    std::map<std::vector<Address>, std::unique_ptr<RingEndpoint>> known;
    for (std::size_t i = 0; i < old.size(); ++i) known[keys_[i]] = std::move(old[i]);
    keys_.clear();
    for (const Endpoint& endpoint : endpoints) {
      keys_.push_back(key_of(endpoint));
      auto& before = known[keys_.back()];
      endpoints_.push_back(before ? std::move(before)
                                  : std::make_unique<RingEndpoint>(*this, endpoint));
    }
    if (endpoints_.empty()) {
      const Status why =
          update.status.ok() ? Status{Code::unavailable, "empty address list"} : update.status;
      helper_.publish(State::transient_failure, std::make_unique<FailPicker>(why), why, taken);
      return false;
    }
    publish(taken);
    return true;  // `known` goes only now: the picker that pointed to it has been replaced
  }

  /// It connects when a call goes somewhere, never for itself.
  void exit_idle(EventId) override {}

  PolicyHelper& helper() { return helper_; }
  Clock& clock() { return clock_; }

  /// With the endpoints' states as they now are: the channel's state, and a picker.
  void publish(EventId cause) {
    const auto count = [&](State state) {
      return std::ranges::count_if(endpoints_,
                                   [&](const auto& one) { return one->state() == state; });
    };
    const auto failed = count(State::transient_failure);
    const auto connecting = count(State::connecting);
    // The first that holds. Two that failed are enough for a parent to look elsewhere, one is not:
    // there it is said to be CONNECTING, and the next one is tried.
    State state = State::transient_failure;
    if (count(State::ready) > 0) {
      state = State::ready;
    } else if (failed >= 2) {
      state = State::transient_failure;
    } else if (connecting > 0 || (failed == 1 && endpoints_.size() > 1)) {
      state = State::connecting;
    } else if (count(State::idle) > 0) {
      state = State::idle;
    }
    Status why;
    std::vector<RingPicker::Seen> seen;
    for (const auto& one : endpoints_) {
      seen.push_back({one.get(), one->state(), one->selected(), one->failure()});
    }
    if (state == State::transient_failure) {
      why = {Code::unavailable, "no reachable endpoints; last error: " + last_failure_};
    }
    helper_.publish(state,
                    std::make_unique<RingPicker>(ring_, std::move(seen), header_, helper_.rng()),
                    why, cause);
    // Who has no calls any more (a parent that has failed over) must recover all the same: one
    // connects at any time while none is READY and one has failed.
    if ((state == State::connecting || state == State::transient_failure) && connecting == 0) {
      const auto idle = std::ranges::find_if(
          endpoints_, [](const auto& one) { return one->state() == State::idle; });
      if (idle != endpoints_.end()) (*idle)->connect_soon(cause);
    }
  }

  void set_last_failure(const std::string& why) { last_failure_ = why; }

 private:
  /// Which endpoint it is: its addresses, in whatever order.
  static std::vector<Address> key_of(const Endpoint& endpoint) {
    std::vector<Address> key = endpoint.addresses;
    sort(key);
    return key;
  }

  static std::vector<Endpoint> each_once(const std::vector<Endpoint>& all) {
    std::vector<Endpoint> once;
    std::map<std::vector<Address>, std::size_t> places;
    for (const Endpoint& endpoint : all) {
      const auto [place, is_new] = places.emplace(key_of(endpoint), once.size());
      if (is_new) {
        once.push_back(endpoint);
        continue;
      }
      Endpoint& first = once[place->second];
      first.attributes["weight"] = std::to_string(weight_of(first) + weight_of(endpoint));
    }
    return once;
  }

  PolicyHelper& helper_;
  Clock& clock_;
  const std::int64_t least_;
  const std::int64_t most_;
  const std::shared_ptr<const std::string> header_;
  std::shared_ptr<const Ring> ring_ = std::make_shared<const Ring>();
  std::deque<std::unique_ptr<RingEndpoint>> endpoints_;  // as the ring numbers them
  std::vector<std::vector<Address>> keys_;               // of each
  std::string last_failure_;
  std::uint32_t lists_ = 0;
};

void RingEndpoint::connect(EventId cause) {
  if (state_ != State::idle) return;
  state_ = State::connecting;
  PolicyHelper& helper = policy_.helper();
  std::vector<std::shared_ptr<Subchannel>> subchannels;
  for (const Address& one : addresses_) {
    subchannels.push_back(health_checked(helper.subchannel(one, cause), helper, policy_.clock()));
  }
  attempts_ = std::make_unique<AddressList>(*this, policy_.clock(), std::move(subchannels));
  policy_.publish(cause);
  attempts_->start(cause);
}

void RingEndpoint::connect_soon(EventId cause) {
  Clock& clock = policy_.clock();
  if (std::exchange(is_due_, true)) return;
  soon_ = clock.at(clock.now(), [this, cause] {
    is_due_ = false;
    connect(cause);
  });
}

void RingEndpoint::on_ready(AddressList&, Subchannel& selected, EventId cause) {
  selected_ = &selected;
  become(State::ready, cause);
}

// Sticky, while the attempts go on: as a pick_first's (A62).
void RingEndpoint::on_all_failed(AddressList&, const Status& why, EventId cause) {
  failure_ = why;
  policy_.set_last_failure(why.message);
  become(State::transient_failure, cause);
  policy_.helper().request_reresolution(cause);
}

// IDLE until a call wants it back.
void RingEndpoint::on_selected_lost(EventId cause) {
  policy_.helper().request_reresolution(cause);
  const auto lost = std::exchange(attempts_, nullptr);  // until the picker is replaced
  selected_ = nullptr;
  become(State::idle, cause);
}

void RingEndpoint::become(State state, EventId cause) {
  state_ = state;
  policy_.publish(cause);
}

void check(const PolicyConfig& config) {
  if (config.fields.at("minRingSize") > config.fields.at("maxRingSize")) {
    misuse({kName,
            ": maxRingSize is smaller than minRingSize (stock gRPC refuses "
            "such a service config, too)"});
  }
  const std::string& header = config.texts.at("requestHashHeader");
  if (header.ends_with("-bin")) {
    misuse({kName, ": requestHashHeader '", header, "' is of bytes; a key is text (gRFC A76)"});
  }
  if (!header.empty()) sendable({{header, ""}});  // no other can come with a call
}

}  // namespace

PolicyType ring_hash() {
  return {.name = kName,
          .fields = {{"minRingSize", 1024, 1, 8'388'608}, {"maxRingSize", 4096, 1, 8'388'608}},
          .texts = {"requestHashHeader"},
          .make = [](const PolicyConfig& config, PolicyHelper& helper,
                     Clock& clock) { return std::make_unique<RingHash>(config, helper, clock); },
          .check = check};
}

}  // namespace greetlab
