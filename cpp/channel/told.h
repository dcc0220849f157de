// What others on a call's way say, who are no part of the channel: an xDS control plane, a proxy.
// The cluster hears it, and has it put into the channel's trace.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

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

/// What each message follows from: a push from what was asked, an ACK or a NACK from the push. A
/// push of what has changed follows from nothing that the stream has.
class XdsCauses {
 public:
  EventId of(const XdsSaid& said) const {
    const auto found = last_.find({said.client, said.type});
    return said.step == "asked" || found == last_.end() ? EventId::none : found->second;
  }

  void happened(const XdsSaid& said, EventId event) {
    const bool answers = said.step == "ACK" || said.step == "NACK";
    last_[{said.client, said.type}] = answers ? EventId::none : event;
  }

 private:
  std::map<std::pair<std::string, std::string>, EventId> last_;
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
