// A policy's helper that stands before another one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lb/policy.h"

namespace greetlab {

/// Passes everything on. A parent policy derives from it what its child is to find otherwise (gRPC:
/// `DelegatingChannelControlHelper`).
class DelegatingHelper : public PolicyHelper {
 public:
  /// @param helper outlives it.
  explicit DelegatingHelper(PolicyHelper& helper) : helper_(helper) {}

  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    return helper_.subchannel(address, cause);
  }
  void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
               EventId cause) override {
    helper_.publish(state, std::move(picker), why, cause);
  }
  void request_reresolution(EventId cause) override { helper_.request_reresolution(cause); }
  std::optional<std::string> health_service() const override { return helper_.health_service(); }
  Rng& rng() override { return helper_.rng(); }
  Trace& trace() override { return helper_.trace(); }
  Symbol who() const override { return helper_.who(); }

 private:
  PolicyHelper& helper_;
};

}  // namespace greetlab
