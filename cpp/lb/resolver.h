// The ports through which a channel learns addresses: a name lookup, and what is built on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "lb/endpoint.h"
#include "trace/trace.h"

namespace greetlab {

struct ServiceConfig;

/// What a resolver found: endpoints, or why there are none.
struct Resolution {
  Status status;  ///< Not ok: why there are no addresses ("no such name (NXDOMAIN)").
  std::vector<Endpoint> endpoints;
  /// What the service's owner would have its clients do (gRFC A2); none: it says nothing.
  std::shared_ptr<const ServiceConfig> config = nullptr;
  /// Not ok: why what it says makes no sense. The addresses are good all the same (gRFC A21).
  Status config_status = {};
};

/// Reads what DNS has of a service's config (gRFC A2) into `config` and `config_status`. In the
/// room config, for JSON is not ours: a world hands it in.
/// @param records the TXT records. percentile: 0 to 99, the client's draw among the choices.
using ReadTxtConfig = std::function<void(const std::vector<std::string>& records,
                                         std::uint32_t percentile, Resolution& into)>;

/// Looks a name up, once at a time. DNS in the live world, a table in the simulator. Owned by the
/// resolver that asks it.
class NameLookup {
 public:
  using Done = std::function<void(Resolution, EventId cause)>;

  virtual ~NameLookup() = default;

  /// Emits the lookup's facts and calls `done` with the last of them: later, on the channel's
  /// thread, once, and never once this object is gone. `done` may begin another lookup.
  virtual void lookup(EventId cause, Done done) = 0;
};

/// Keeps a channel's addresses up to date. Owned by the channel, its watcher, which must outlive
/// it.
class Resolver {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// From the resolver's own doing, never from within `start` or `refresh`. It must not destroy
    /// the resolver.
    /// @return whether the addresses could be used. If not, a resolver that can, tries again later.
    virtual bool on_resolution(const Resolution& answer, EventId cause) = 0;
  };

  virtual ~Resolver() = default;

  /// Begins. The watcher hears of every answer from then on.
  virtual void start(Watcher& watcher, EventId cause) = 0;

  /// Somebody would like newer addresses. It is a wish: the resolver may take its time.
  virtual void refresh(EventId cause) = 0;
};

}  // namespace greetlab
