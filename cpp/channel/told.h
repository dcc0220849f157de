// What others on a call's way say, who are no part of the channel: an xDS control plane, a proxy.
// The cluster hears it, and has it put into the channel's trace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "trace/trace.h"

namespace greetlab {

/// One message between an xDS control plane and `client`, as `XdsExchanged` has it.
struct XdsSaid {
  std::string client;
  std::string step;
  std::string type;
  std::string version;
  std::string detail;
};

/// What a proxy says of one of its endpoints, as `ProxyReported` has it.
struct ProxySaid {
  std::string proxy;
  std::string endpoint;
  std::uint32_t connections;
  std::uint32_t calls;
};

/// What each message follows from: a push from what was asked last, if that was not answered yet;
/// an ACK or a NACK from the push of that version. A push of what has changed follows from nothing
/// that the stream has.
class XdsCauses {
 public:
  /// What this message follows from; it is asked for once, in the order of the messages.
  EventId of(const XdsSaid& said) {
    if (said.step == "asked") return EventId::none;
    if (said.step == "pushed") return taken(asked_, {said.client, said.type, {}});
    return taken(pushed_, {said.client, said.type, said.version});
  }

  void happened(const XdsSaid& said, EventId event) {
    if (said.step == "asked") asked_[{said.client, said.type, {}}] = event;
    if (said.step == "pushed") pushed_[{said.client, said.type, said.version}] = event;
  }

 private:
  using Messages = std::map<std::tuple<std::string, std::string, std::string>, EventId>;

  static EventId taken(Messages& from, const Messages::key_type& key) {
    const auto node = from.extract(key);
    return node.empty() ? EventId::none : node.mapped();
  }

  Messages asked_;
  Messages pushed_;  // and not answered yet
};

/// The fact. symbol: of a word.
template <class F>
XdsExchanged fact_of(const XdsSaid& said, F&& symbol) {
  return {symbol(said.client), symbol(said.step), symbol(said.type), symbol(said.version),
          symbol(said.detail)};
}
template <class F>
ProxyReported fact_of(const ProxySaid& said, F&& symbol) {
  return {symbol(said.endpoint), said.connections, said.calls};
}

/// Whose event it is.
inline const std::string& actor(const XdsSaid& said) {
  static const std::string plane = "control plane";
  return said.step == "pushed" ? plane : said.client;
}

}  // namespace greetlab
