// Takes turns.
#include <utility>

#include "lb/policies/endpoint_list.h"
#include "lb/policies/registry.h"

namespace greetlab {
namespace {

class RoundRobinPicker final : public Picker {
 public:
  // A random start for each new picker: a fleet of clients that all began at the first address
  // would send their calls to the same pod at the same time (grpc-go#2580).
  RoundRobinPicker(std::vector<Subchannel*> ready, Rng& rng)
      : ready_(std::move(ready)), start_(rng.below(ready_.size())), next_(start_) {}

  Pick pick(const PickArgs&) override {
    Subchannel* const picked = ready_[next_];
    if (++next_ == ready_.size()) next_ = 0;
    return PickTo{picked};
  }
  std::string_view name() const override { return "round_robin"; }
  std::uint32_t ready() const override { return static_cast<std::uint32_t>(ready_.size()); }
  std::uint32_t start() const override { return static_cast<std::uint32_t>(start_); }

 private:
  const std::vector<Subchannel*> ready_;
  const std::size_t start_;
  std::size_t next_;
};

/// gRPC's round_robin (client channel spec).
class RoundRobin final : public EndpointListPolicy {
 public:
  using EndpointListPolicy::EndpointListPolicy;

 private:
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    return std::make_unique<RoundRobinPicker>(std::move(ready), helper().rng());
  }
};

}  // namespace

PolicyType round_robin() {
  return {.name = "round_robin",
          .make = [](const PolicyConfig&, PolicyHelper& helper, Clock& clock) {
            return std::make_unique<RoundRobin>(helper, clock);
          }};
}

}  // namespace greetlab
