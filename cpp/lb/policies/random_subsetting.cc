// A parent of any policy that shows it a few of the endpoints only: of many clients each has its
// own few, and n clients of m pods need not have n x m connections.
#include <tuple>
#include <utility>

#include "core/sort.h"
#include "lb/policies/registry.h"
#include "lb/xxh64.h"

namespace greetlab {
namespace {

/// gRFC A68. Which endpoints a client has follows from its own seed and the endpoint alone, so
/// another pod more or less moves few of them, and every pod has about as many clients.
class RandomSubsetting final : public LbPolicy {
 public:
  RandomSubsetting(PolicyHelper& helper, std::size_t size, std::unique_ptr<LbPolicy> child)
      : seed_(helper.rng().next()), size_(size), child_(std::move(child)) {}

  bool update(const Resolution& update, EventId cause) override {
    if (update.endpoints.size() <= size_) return child_->update(update, cause);
    // By its first address: a second one more or less is no other server.
    std::vector<std::tuple<std::uint64_t, Address, std::size_t>> drawn;
    for (std::size_t i = 0; i < update.endpoints.size(); ++i) {
      const Address& address = update.endpoints[i].addresses.front();
      drawn.emplace_back(xxh64(to_string(address), seed_), address, i);
    }
    sort(drawn);
    Resolution subset{update.status, {}};
    for (std::size_t i = 0; i < size_; ++i) {
      subset.endpoints.push_back(update.endpoints[std::get<2>(drawn[i])]);
    }
    return child_->update(subset, cause);
  }

  void exit_idle(EventId cause) override { child_->exit_idle(cause); }

 private:
  const std::uint64_t seed_;
  const std::size_t size_;
  const std::unique_ptr<LbPolicy> child_;
};

}  // namespace

PolicyType random_subsetting() {
  return {.name = "random_subsetting",
          .fields = {{"subsetSize", std::nullopt, 1, 1'000'000}},
          .child = "round_robin",
          .make = [](const PolicyConfig& config, PolicyHelper& helper, Clock& clock) {
            const auto size = static_cast<std::size_t>(config.fields.at("subsetSize"));
            return std::make_unique<RandomSubsetting>(helper, size,
                                                      make_policy(*config.child, helper, clock));
          }};
}

}  // namespace greetlab
