// A trace in sentences: one an event, for somebody who has never seen gRPC.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "trace/replay.h"
#include "trace/teller.h"
#include "trace/trace.h"

namespace greetlab {

/// The moment from which the story counts: the virtual world's beginning; in a real one, whose
/// clock began with the machine, the first event of a client.
///
/// @param world "SIM", "BENCH", "LOCAL", "KUBE".
Time origin(std::span<const Event> events, const Symbols& symbols, std::string_view world);

/// Tells the events of one trace. The sentence itself is the fact's own (trace/fact.h).
class Story final : public Teller {
 public:
  /// @param replay of the events up to the last one that it will be asked to tell, at least.
  Story(const Symbols& symbols, const Replay& replay, Time origin)
      : symbols_(symbols), replay_(replay), origin_(origin) {}

  std::string sentence(const Event& event);

  /// Each different sentence once, with `mark` in place of "call 3"'s number; and which of them
  /// each of the events has.
  struct Templates {
    std::vector<std::string> sentences;
    std::vector<std::uint32_t> of;
  };
  Templates templates(std::span<const Event* const> events, std::string_view mark);

  const std::string& word(Symbol symbol) const override { return symbols_.word(symbol); }
  std::string address(SubchannelId subchannel) const override;
  std::string dialled(ConnectionId connection) const override;
  std::string moment(Time at) const override;
  std::string call(CallId call) const override;

 private:
  const Symbols& symbols_;
  const Replay& replay_;
  const Time origin_;
  std::string_view mark_;
};

}  // namespace greetlab
