// Of a few chosen at random, the one with the fewest calls in flight.
#include <utility>

#include "lb/policies/endpoint_list.h"
#include "lb/policies/in_flight.h"
#include "lb/policies/registry.h"

namespace greetlab {
namespace {

struct Choice {
  Subchannel* subchannel;
  std::shared_ptr<InFlight> in_flight;
};

class LeastRequestPicker final : public Picker {
 public:
  LeastRequestPicker(std::vector<Choice> ready, std::uint32_t samples, Rng& rng)
      : ready_(std::move(ready)), samples_(samples), rng_(rng) {}

  // Sampled with replacement, the first of those that are level (gRFC A48): with two samples a
  // picker that has one slow pod among many avoids it nearly always, and no two clients agree on
  // one and the same idle pod, as they would if all of them looked at all pods.
  Pick pick(const PickArgs&) override {
    const Choice* best = &sample();
    for (std::uint32_t i = 1; i < samples_; ++i) {
      const Choice& other = sample();
      if (other.in_flight->calls < best->in_flight->calls) best = &other;
    }
    ++best->in_flight->calls;
    return PickTo{best->subchannel, best->in_flight};
  }
  std::string_view name() const override { return "least_request"; }
  std::uint32_t ready() const override { return static_cast<std::uint32_t>(ready_.size()); }

 private:
  const Choice& sample() { return ready_[rng_.below(ready_.size())]; }

  const std::vector<Choice> ready_;
  const std::uint32_t samples_;
  Rng& rng_;
};

/// gRFC A48, as grpc-java and grpc-go have it; gRPC C++ 1.51 has none.
class LeastRequest final : public EndpointListPolicy {
 public:
  LeastRequest(PolicyHelper& helper, Clock& clock, std::uint32_t samples)
      : EndpointListPolicy(helper, clock), samples_(samples) {}

 private:
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    const auto counts = in_flight_.of(ready);
    std::vector<Choice> choices;
    for (std::size_t i = 0; i < ready.size(); ++i) choices.push_back({ready[i], counts[i]});
    return std::make_unique<LeastRequestPicker>(std::move(choices), samples_, helper().rng());
  }

  const std::uint32_t samples_;
  InFlightCounts in_flight_;
};

}  // namespace

PolicyType least_request() {
  return {.name = "least_request",
          .fields = {{"choiceCount", 2, 2, 10}},
          .make = [](const PolicyConfig& config, PolicyHelper& helper, Clock& clock) {
            const auto samples = static_cast<std::uint32_t>(config.fields.at("choiceCount"));
            return std::make_unique<LeastRequest>(helper, clock, samples);
          }};
}

}  // namespace greetlab
