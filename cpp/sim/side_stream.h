// The streams of one connection of the virtual world that are beside its calls.
#pragma once

#include <vector>

#include "core/time.h"
#include "sim/pod.h"

namespace greetlab {

class HealthStream;

/// The connection, as its streams see it.
class SideStreams {
 public:
  virtual ~SideStreams() = default;
  virtual SimPod& pod() = 0;
  /// How long what is sent now is on its way.
  virtual Duration one_way() = 0;
  /// Whether anything comes back.
  virtual bool open() const = 0;
  /// Something has come.
  virtual void heard() = 0;
  /// A stream more, or less: it counts like any other (gRFC A17, "Caveats").
  virtual void begin() = 0;
  virtual void end() = 0;
  /// Those that the pod tells of its health.
  virtual std::vector<HealthStream*>& watching() = 0;
};

}  // namespace greetlab
