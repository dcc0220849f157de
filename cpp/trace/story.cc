#include "trace/story.h"

#include <unordered_map>

namespace greetlab {

Time origin(std::span<const Event> events, const Symbols& symbols, std::string_view world) {
  if (world == "SIM" || world == "BENCH") return Time{};
  for (const Event& event : events) {
    if (symbols.word(event.who) != "cluster") return event.at;
  }
  return events.empty() ? Time{} : events.front().at;
}

std::string Story::sentence(const Event& event) {
  who = symbols_.word(event.who);
  return std::visit([this](const auto& fact) { return fact.sentence(*this); }, event.fact);
}

Story::Templates Story::templates(std::span<const Event* const> events, std::string_view mark) {
  mark_ = mark;
  Templates made;
  std::unordered_map<std::string, std::uint32_t> known;
  for (const Event* const event : events) {
    const auto [found, is_new] =
        known.try_emplace(sentence(*event), static_cast<std::uint32_t>(made.sentences.size()));
    if (is_new) made.sentences.push_back(found->first);
    made.of.push_back(found->second);
  }
  mark_ = {};
  return made;
}

std::string Story::address(SubchannelId subchannel) const {
  const Replay::SubchannelRow* const found = replay_.find(subchannel);
  if (found != nullptr) return symbols_.word(found->address);
  return "subchannel " + std::to_string(static_cast<std::uint32_t>(subchannel));
}

std::string Story::dialled(ConnectionId connection) const {
  const Replay::ConnectionRow* const found = replay_.find(connection);
  return found == nullptr ? "" : symbols_.word(found->address);
}

std::string Story::moment(Time at) const {
  return seconds(at - origin_);
}

std::string Story::call(CallId call) const {
  return mark_.empty() ? Teller::call(call) : "call " + std::string(mark_);
}

}  // namespace greetlab
