// The ports through which a channel learns addresses: a name lookup, and what is built on it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/status.h"
#include "lb/endpoint.h"
#include "trace/trace.h"

namespace greetlab {

/// What a resolver found: endpoints, or why there are none.
struct Resolution {
  Status status;  ///< Not ok: why there are no addresses ("no such name (NXDOMAIN)").
  std::vector<Endpoint> endpoints;
};

/// Looks a name up, once. DNS in the live world, a table in the simulator.
class NameLookup {
 public:
  using Done = std::function<void(Resolution, EventId cause)>;

  virtual ~NameLookup() = default;

  /// Emits the lookup's facts and calls `done` with the last of them, later, on the channel's
  /// thread; never once the lookup object is gone.
  virtual void lookup(EventId because, Done done) = 0;
};

/// Keeps a channel's addresses up to date.
class Resolver {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// @return whether the addresses could be used. A resolver that can, tries again later.
    virtual bool on_resolution(const Resolution& answer, EventId cause) = 0;
  };

  virtual ~Resolver() = default;

  /// Begins. The watcher hears of every answer from then on.
  virtual void start(Watcher& watcher, EventId because) = 0;

  /// Somebody would like newer addresses. It is a wish: the resolver may take its time.
  virtual void refresh(EventId because) = 0;
};

}  // namespace greetlab
