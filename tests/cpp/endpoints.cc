// An endpoint reaches a policy whole: all of its addresses, and its attributes.
//
// Ends with 0 if it is so.
#include <cstdio>
#include <memory>
#include <vector>

#include "core/virtual_clock.h"
#include "lb/endpoint.h"
#include "lb/policies/registry.h"

using namespace greetlab;

namespace {

std::vector<Endpoint> seen;

// A child policy that looks at what it is given.
struct Looks final : LbPolicy {
  bool update(const Resolution& update, EventId) override {
    seen = update.endpoints;
    return true;
  }
  void exit_idle(EventId) override {}
};

PolicyConfig two_of_them() {
  PolicyConfig looks{"looks"};
  looks.make = [](const PolicyConfig&, PolicyHelper&, Clock&) { return std::make_unique<Looks>(); };
  return {"random_subsetting", {{"subsetSize", 2}}, std::make_shared<const PolicyConfig>(looks)};
}

// What of a policy's world this one needs: a random number.
struct Helper final : PolicyHelper {
  std::shared_ptr<Subchannel> subchannel(const Address&, EventId) override { return nullptr; }
  void publish(ConnectivityState, std::unique_ptr<Picker>, const Status&, EventId) override {}
  void request_reresolution(EventId) override {}
  std::optional<std::string> health_service() const override { return std::nullopt; }
  Rng& rng() override { return rng_; }
  Trace& trace() override { return trace_; }
  Symbol who() const override { return Symbol::none; }

  VirtualClock clock;

 private:
  Rng rng_{1};
  Trace trace_{clock};
};

}  // namespace

int main() {
  const Address a{"10.0.0.1", 1}, b{"fd00::1", 1}, c{"10.0.0.2", 1}, d{"10.0.0.3", 1};
  const Endpoint both{{a, b}, {{"zone", "north"}}};
  const std::vector<Endpoint> all{both, {{c}}, {{d}}};
  if (addresses_of(all) != std::vector{a, b, c, d}) return std::puts("not all addresses"), 1;
  if (endpoints_of({c, d}) != std::vector<Endpoint>{{{c}}, {{d}}})
    return std::puts("not one each"), 1;
  if (both == Endpoint{{a, b}}) return std::puts("attributes do not count"), 1;

  Helper helper;
  const auto policy = make_policy(complete(two_of_them()), helper, helper.clock);
  bool whole = false;
  for (int draw = 0; draw < 50; ++draw) {  // another name each time, so another draw
    Resolution found;
    found.endpoints = all;
    for (std::size_t i = 1; i < 3; ++i) {
      found.endpoints[i].addresses[0].port = static_cast<std::uint16_t>(draw);
    }
    policy->update(found, EventId::none);
    if (seen.size() != 2) return std::puts("not two of three"), 1;
    for (const Endpoint& one : seen) whole = whole || one == both;
  }
  if (!whole) return std::puts("its child has never seen the endpoint whole"), 1;
  return 0;
}
