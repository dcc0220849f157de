// A subchannel that stands before another one.
#pragma once

#include <memory>
#include <utility>

#include "lb/subchannel.h"

namespace greetlab {

/// Passes everything on. A parent policy derives from it what it wants to be otherwise, and hands
/// it to its child from its `PolicyHelper::subchannel` (gRPC: `DelegatingSubchannel`).
class DelegatingSubchannel : public Subchannel {
 public:
  explicit DelegatingSubchannel(std::shared_ptr<Subchannel> wrapped)
      : wrapped_(std::move(wrapped)) {}

  SubchannelId id() const override { return wrapped_->id(); }
  const Address& address() const override { return wrapped_->address(); }
  ConnectivityState state() const override { return wrapped_->state(); }
  const Status& failure() const override { return wrapped_->failure(); }
  Link* connection() const override { return wrapped_->connection(); }
  void watch(Watcher& watcher) override { wrapped_->watch(watcher); }
  void unwatch(Watcher& watcher) override { wrapped_->unwatch(watcher); }
  void request_connection(EventId cause) override { wrapped_->request_connection(cause); }

 protected:
  Subchannel& wrapped() const { return *wrapped_; }

 private:
  const std::shared_ptr<Subchannel> wrapped_;
};

}  // namespace greetlab
