// Each call to a READY subchannel at random. Not one of gRPC's: it is here to compare with (two
// calls in a row on one pod, however many there are).
#include <utility>

#include "lb/policies/endpoint_list.h"
#include "lb/policies/registry.h"

namespace greetlab {
namespace {

class RandomPicker final : public Picker {
 public:
  RandomPicker(std::vector<Subchannel*> ready, Rng& rng) : ready_(std::move(ready)), rng_(rng) {}

  Pick pick(const PickArgs&) override { return PickTo{ready_[rng_.below(ready_.size())]}; }
  std::string_view name() const override { return "random"; }
  std::uint32_t ready() const override { return static_cast<std::uint32_t>(ready_.size()); }

 private:
  const std::vector<Subchannel*> ready_;
  Rng& rng_;
};

class Random final : public EndpointListPolicy {
 public:
  using EndpointListPolicy::EndpointListPolicy;

 private:
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    return std::make_unique<RandomPicker>(std::move(ready), helper().rng());
  }
};

}  // namespace

PolicyType random_policy() {
  return {.name = "random", .make = [](const PolicyConfig&, PolicyHelper& helper, Clock& clock) {
            return std::make_unique<Random>(helper, clock);
          }};
}

}  // namespace greetlab
