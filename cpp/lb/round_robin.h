// Connects to every address, keeps every connection, and takes turns.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lb/policy.h"
#include "lb/subchannel.h"

namespace greetlab {

/// gRPC's round_robin (client channel spec; grpc/grpc `round_robin.cc` of 1.51). The rules, where
/// their order matters numbered in the source:
///
/// - one subchannel per address, all connected at once, and again whenever they are IDLE;
/// - a new list of addresses is *pending* until it is worth swapping in;
/// - the picker holds the READY ones, and each new picker begins at a random one.
class RoundRobin : public LbPolicy {
 public:
  explicit RoundRobin(PolicyHelper& helper);
  ~RoundRobin() override;

  bool update(const PolicyUpdate& update, EventId because) final;
  /// It never is IDLE: it always connects.
  void exit_idle(EventId) final {}

 protected:
  virtual std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready, Rng& rng) const;

 private:
  class List;

  void on_child_changed(List& list, EventId cause);
  void publish(EventId cause);
  void fail(const Status& why, EventId cause);

  PolicyHelper& helper_;
  std::unique_ptr<List> current_;
  std::unique_ptr<List> pending_;
  std::uint32_t lists_ = 0;
};

/// The same, but each call goes to a READY subchannel at random. Not one of gRPC's: it is here to
/// compare with (two calls in a row on one pod, however many there are).
class Random final : public RoundRobin {
 public:
  using RoundRobin::RoundRobin;

 protected:
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready, Rng& rng) const override;
};

}  // namespace greetlab
