// A resolver that was told the addresses and never asks anybody.
#pragma once

#include <utility>
#include <vector>

#include "core/clock.h"
#include "lb/resolver.h"

namespace greetlab {

/// gRPC's `ipv4:` and `ipv6:` (grpc/grpc `sockaddr_resolver.cc`): one answer at the start, and who
/// would like newer addresses would like them in vain.
class StaticResolver final : public Resolver {
 public:
  /// @param clock outlives it.
  StaticResolver(Clock& clock, std::vector<Address> addresses) : clock_(clock) {
    answer_.endpoints = endpoints_of(std::move(addresses));
  }

  void start(Watcher& watcher, EventId cause) override {
    told_ =
        clock_.at(clock_.now(), [this, &watcher, cause] { watcher.on_resolution(answer_, cause); });
  }

  void refresh(EventId) override {}

 private:
  Clock& clock_;
  Resolution answer_;
  Timer told_;
};

}  // namespace greetlab
