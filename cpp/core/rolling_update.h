// What a Deployment does next in a rolling update: the rule, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace greetlab {

/// `strategy.rollingUpdate` of a Deployment. Not both of the bounds may be 0: then nothing could
/// ever be done.
struct RollingUpdate {
  std::uint32_t replicas;
  std::uint32_t max_surge = 1;        ///< So many pods more than `replicas` may there be.
  std::uint32_t max_unavailable = 0;  ///< So many fewer than `replicas` may be ready.
};

/// A pod that is not on its way out, as a Deployment sees it.
struct RollingPod {
  bool is_new;  ///< Of the template that is rolled out.
  bool ready;
};

struct RollingStep {
  std::uint32_t add = 0;           ///< Pods of the new template.
  std::vector<std::size_t> drain;  ///< Which of the given ones.

  bool nothing() const { return add == 0 && drain.empty(); }
};

/// What is to be done now; nothing: it is over, or has to wait for pods that become ready.
/// Old pods go when they may: the ones that are not ready first, for nobody misses them, then in
/// the order in which they are given (kubernetes `pkg/controller/deployment/rolling.go`, whose own
/// order among ready pods is another one and promised to nobody).
RollingStep next_step(const RollingUpdate& update, std::span<const RollingPod> pods);

}  // namespace greetlab
