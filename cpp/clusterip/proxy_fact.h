// What the proxy tells about itself and about each connection through it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/address.h"

namespace greetlab {

// Each `time_ns` is CLOCK_MONOTONIC, the one clock that all processes on a machine share. A
// connection's `id` counts the accepted ones from 1, and `source` is the client's address.

/// The virtual address takes connections.
struct ProxyListening {
  std::int64_t time_ns;
  Address address;
};

/// Connections accepted after this one choose among these endpoints.
struct ProxyEndpoints {
  std::int64_t time_ns;
  std::vector<Address> endpoints;
};

/// The endpoint chosen for a connection answered. `upstream` is the proxy's own end of the second
/// leg: what the pod sees as its peer, and so what joins the pod's view with this one.
struct ProxyOpened {
  std::int64_t time_ns;
  std::uint64_t id;
  Address source;
  Address endpoint;
  Address upstream;
};

/// A connection was reset before it was open: there was no endpoint to choose, or the chosen one
/// did not answer. `reason` is in words, such as "no endpoints" or "connection refused".
struct ProxyFailed {
  std::int64_t time_ns;
  std::uint64_t id;
  Address source;
  std::optional<Address> endpoint;
  std::string reason;
};

enum class ProxySide { client, endpoint };

/// An open connection has ended on both sides. `by` is the side that reset it or, if none did, the
/// one that was first to say that it had nothing more to send. Bytes up went to the endpoint.
struct ProxyClosed {
  std::int64_t time_ns;
  std::uint64_t id;
  std::uint64_t bytes_up;
  std::uint64_t bytes_down;
  ProxySide by;
  bool reset;
};

using ProxyFact =
    std::variant<ProxyListening, ProxyEndpoints, ProxyOpened, ProxyFailed, ProxyClosed>;

/// Receives each fact as it happens, on the proxy's thread, which waits for it: be quick.
using ProxySink = std::function<void(const ProxyFact&)>;

}  // namespace greetlab
