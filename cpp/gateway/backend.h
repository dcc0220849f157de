// The channel behind the gateway, whichever engine it has.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "live/greet_done.h"
#include "live/subchannel_view.h"
#include "trace/trace.h"

namespace greetlab {

struct BackendOptions {
  std::string target;  ///< As greet-client has it.
  std::string policy = "pick_first";
  std::string engine = "lab";  ///< "lab" or "grpc".
  /// GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS.
  Duration cooldown = std::chrono::seconds(30);
};

/// Safe to use from several threads.
class Backend {
 public:
  /// Hears of every event of the channel's trace. One at a time, and on no thread of ours.
  using OnEvent = std::function<void(const Event&, const Symbols&)>;

  /// @throws std::invalid_argument for a target or a policy that there is not.
  static std::unique_ptr<Backend> open(const BackendOptions& options, OnEvent on_event);
  virtual ~Backend() = default;

  /// `done` hears of the end on another thread, where it may not wait for anything.
  virtual void greet(greet::GreetingRequest request, Duration timeout, GreetDone done) = 0;

  /// The channel's connectivity state, "READY". An IDLE one begins to connect: a gateway that is
  /// not ready gets no calls that could wake it.
  virtual std::string state() = 0;
  virtual std::vector<SubchannelView> subchannels() = 0;
  virtual const Symbols& symbols() const = 0;

  /// Ends what is in flight with CANCELLED.
  virtual void close() = 0;
};

}  // namespace greetlab
