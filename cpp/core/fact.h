// Everything that can happen, as facts. The trace is made of these and of nothing else.
//
// A fact is a small plain struct: numbers and symbols, so that a million of them are one block of
// memory. Each says how it can be known:
//   observed   who tells it saw it
//   inferred   it follows from what was seen, and could in principle be otherwise
//   sim_only   only a simulator can know it: no client could see it on a real network
// A live world may mark a fact lower than its kind (a lost connection's `graceful`), never higher.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <variant>

#include "core/connectivity.h"
#include "core/status.h"
#include "core/symbol.h"
#include "core/time.h"

namespace greetlab {

// Numbers of the trace's own (`Trace::next_call`), unique in it.
enum class CallId : std::uint32_t {};
enum class SubchannelId : std::uint32_t {};
enum class ConnectionId : std::uint32_t { none = 0 };
/// The address lists that a policy has been given, counted from 1.
enum class ListId : std::uint32_t {};

enum class Certainty : std::uint8_t { observed, inferred, sim_only };

/// Whether a connection ended in order (GOAWAY) or broke.
enum class Graceful : std::uint8_t { unknown, yes, no };

/// A field of a fact: its name and where it is. `fields` of each fact lists them in order.
template <class Fact, class Value>
struct Field {
  std::string_view name;
  Value Fact::* member;
};
template <class Fact, class Value>
Field(const char*, Value Fact::*) -> Field<Fact, Value>;

// --- The cluster ---------------------------------------------------------------------------------

/// A pod changed: `change` is "started", "ready", "killed", "draining", "stopped", "slowed", ...
struct PodChanged {
  Symbol pod;
  Symbol change;
  Symbol address;  ///< Where it listens: "10.244.0.2:50051".
  static constexpr std::string_view kName = "PodChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"pod", &PodChanged::pod}, Field{"change", &PodChanged::change},
                      Field{"address", &PodChanged::address}};
  }
};

/// The cluster lists these addresses as a service's endpoints from now on.
struct EndpointsChanged {
  Symbol service;
  Symbol addresses;
  std::uint32_t count;
  static constexpr std::string_view kName = "EndpointsChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"service", &EndpointsChanged::service},
                      Field{"addresses", &EndpointsChanged::addresses},
                      Field{"count", &EndpointsChanged::count}};
  }
};

/// The ClusterIP chose `endpoint` for a new connection. A client cannot see it.
struct ProxyRouted {
  ConnectionId connection;
  Symbol endpoint;
  static constexpr std::string_view kName = "ProxyRouted";
  static constexpr Certainty kCertainty = Certainty::sim_only;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &ProxyRouted::connection},
                      Field{"endpoint", &ProxyRouted::endpoint}};
  }
};

/// A server told a client to make no new calls on a connection (RFC 9113 6.8). gRPC's public API
/// does not show it.
struct GoAwaySent {
  ConnectionId connection;
  Symbol reason;
  static constexpr std::string_view kName = "GoAwaySent";
  static constexpr Certainty kCertainty = Certainty::sim_only;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &GoAwaySent::connection},
                      Field{"reason", &GoAwaySent::reason}};
  }
};

// --- The resolver --------------------------------------------------------------------------------

/// A lookup of a channel's target begins.
struct LookupStarted {
  Symbol name;
  static constexpr std::string_view kName = "LookupStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"name", &LookupStarted::name}}; }
};

/// One question of it on the wire was answered, or given up.
struct QueryAnswered {
  Symbol name;
  Symbol type;
  Symbol status;
  std::uint32_t ttl;
  Duration round_trip;
  static constexpr std::string_view kName = "QueryAnswered";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"name", &QueryAnswered::name}, Field{"type", &QueryAnswered::type},
                      Field{"status", &QueryAnswered::status}, Field{"ttl", &QueryAnswered::ttl},
                      Field{"round_trip", &QueryAnswered::round_trip}};
  }
};

/// The lookup has ended: with addresses, or with a status that says why there are none.
struct LookupEnded {
  Symbol name;
  Symbol status;
  Symbol addresses;
  std::uint32_t count;
  static constexpr std::string_view kName = "LookupEnded";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"name", &LookupEnded::name}, Field{"status", &LookupEnded::status},
                      Field{"addresses", &LookupEnded::addresses},
                      Field{"count", &LookupEnded::count}};
  }
};

/// Somebody asked the resolver for new addresses.
struct ReresolutionRequested {
  static constexpr std::string_view kName = "ReresolutionRequested";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{}; }
};

/// ... too soon after the last lookup: it waits until then.
struct CooldownStarted {
  Time until;
  static constexpr std::string_view kName = "CooldownStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"until", &CooldownStarted::until}}; }
};

/// The lookup failed: the next one waits until then.
struct ResolverBackoffStarted {
  Time until;
  static constexpr std::string_view kName = "ResolverBackoffStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"until", &ResolverBackoffStarted::until}};
  }
};

// --- The policy ----------------------------------------------------------------------------------

/// The policy was given a list of addresses; `pending`: it keeps using the one it had for now.
struct AddressListTaken {
  ListId list;
  Symbol addresses;
  std::uint32_t count;
  bool pending;
  static constexpr std::string_view kName = "AddressListTaken";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"list", &AddressListTaken::list}, Field{"addresses", &AddressListTaken::addresses},
        Field{"count", &AddressListTaken::count}, Field{"pending", &AddressListTaken::pending}};
  }
};

/// The pending list is the one in use from now on, because of `reason`.
struct ListSwapped {
  ListId list;
  Symbol reason;
  static constexpr std::string_view kName = "ListSwapped";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"list", &ListSwapped::list}, Field{"reason", &ListSwapped::reason}};
  }
};

/// The policy hands the data plane a new picker: `picker` is "round_robin", "queue", "fail", ...
/// with `ready` subchannels to choose from, beginning at `start`.
struct PickerPublished {
  Symbol picker;
  std::uint32_t ready;
  std::uint32_t start;
  static constexpr std::string_view kName = "PickerPublished";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"picker", &PickerPublished::picker},
                      Field{"ready", &PickerPublished::ready},
                      Field{"start", &PickerPublished::start}};
  }
};

/// The channel's state, as the policy (or the resolver) says it.
struct ChannelStateChanged {
  ConnectivityState from;
  ConnectivityState to;
  Symbol reason;
  static constexpr std::string_view kName = "ChannelStateChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"from", &ChannelStateChanged::from},
                      Field{"to", &ChannelStateChanged::to},
                      Field{"reason", &ChannelStateChanged::reason}};
  }
};

// --- The subchannels and their connections -------------------------------------------------------

/// A subchannel for an address came into being.
struct SubchannelCreated {
  SubchannelId subchannel;
  Symbol address;
  static constexpr std::string_view kName = "SubchannelCreated";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &SubchannelCreated::subchannel},
                      Field{"address", &SubchannelCreated::address}};
  }
};

struct SubchannelStateChanged {
  SubchannelId subchannel;
  ConnectivityState from;
  ConnectivityState to;
  Symbol reason;
  static constexpr std::string_view kName = "SubchannelStateChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &SubchannelStateChanged::subchannel},
                      Field{"from", &SubchannelStateChanged::from},
                      Field{"to", &SubchannelStateChanged::to},
                      Field{"reason", &SubchannelStateChanged::reason}};
  }
};

/// A connection attempt begins. `attempt` counts from 1 since the subchannel was last READY.
struct ConnectStarted {
  SubchannelId subchannel;
  ConnectionId connection;
  std::uint32_t attempt;
  static constexpr std::string_view kName = "ConnectStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &ConnectStarted::subchannel},
                      Field{"connection", &ConnectStarted::connection},
                      Field{"attempt", &ConnectStarted::attempt}};
  }
};

/// It is up: the server's SETTINGS frame has come. `local` is our end.
struct Connected {
  SubchannelId subchannel;
  ConnectionId connection;
  Symbol local;
  static constexpr std::string_view kName = "Connected";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &Connected::subchannel},
                      Field{"connection", &Connected::connection},
                      Field{"local", &Connected::local}};
  }
};

struct ConnectFailed {
  SubchannelId subchannel;
  ConnectionId connection;
  Symbol reason;
  static constexpr std::string_view kName = "ConnectFailed";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &ConnectFailed::subchannel},
                      Field{"connection", &ConnectFailed::connection},
                      Field{"reason", &ConnectFailed::reason}};
  }
};

struct ConnectionLost {
  SubchannelId subchannel;
  ConnectionId connection;
  Graceful graceful;
  static constexpr std::string_view kName = "ConnectionLost";
  static constexpr Certainty kCertainty = Certainty::inferred;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &ConnectionLost::subchannel},
                      Field{"connection", &ConnectionLost::connection},
                      Field{"graceful", &ConnectionLost::graceful}};
  }
};

/// No attempt before then: `delay` from now. The backoff was counted from the *start* of the
/// attempt that failed, so after a slow failure less of it is left.
struct BackoffStarted {
  SubchannelId subchannel;
  Time until;
  Duration delay;
  static constexpr std::string_view kName = "BackoffStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &BackoffStarted::subchannel},
                      Field{"until", &BackoffStarted::until},
                      Field{"delay", &BackoffStarted::delay}};
  }
};

// --- The calls -----------------------------------------------------------------------------------

struct CallStarted {
  CallId call;
  bool wait_for_ready;
  static constexpr std::string_view kName = "CallStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallStarted::call},
                      Field{"wait_for_ready", &CallStarted::wait_for_ready}};
  }
};

/// There is nobody to send it to yet: it waits for the next picker.
struct CallQueued {
  CallId call;
  Symbol reason;
  static constexpr std::string_view kName = "CallQueued";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallQueued::call}, Field{"reason", &CallQueued::reason}};
  }
};

/// The picker chose, and the call goes out.
struct Picked {
  CallId call;
  SubchannelId subchannel;
  ConnectionId connection;
  static constexpr std::string_view kName = "Picked";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &Picked::call}, Field{"subchannel", &Picked::subchannel},
                      Field{"connection", &Picked::connection}};
  }
};

/// Nothing of it was sent, because the connection was gone: it is picked again (gRFC A6,
/// transparent retries).
struct CallUnsent {
  CallId call;
  ConnectionId connection;
  static constexpr std::string_view kName = "CallUnsent";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallUnsent::call},
                      Field{"connection", &CallUnsent::connection}};
  }
};

/// Each call ends exactly once. `pod` answered, over `connection`; neither where none did.
struct CallEnded {
  CallId call;
  Code code;
  ConnectionId connection;
  Symbol pod;
  Symbol message;
  static constexpr std::string_view kName = "CallEnded";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallEnded::call}, Field{"code", &CallEnded::code},
                      Field{"connection", &CallEnded::connection}, Field{"pod", &CallEnded::pod},
                      Field{"message", &CallEnded::message}};
  }
};

using Fact = std::variant<PodChanged, EndpointsChanged, ProxyRouted, GoAwaySent, LookupStarted,
                          QueryAnswered, LookupEnded, ReresolutionRequested, CooldownStarted,
                          ResolverBackoffStarted, AddressListTaken, ListSwapped, PickerPublished,
                          ChannelStateChanged, SubchannelCreated, SubchannelStateChanged,
                          ConnectStarted, Connected, ConnectFailed, ConnectionLost, BackoffStarted,
                          CallStarted, CallQueued, Picked, CallUnsent, CallEnded>;

}  // namespace greetlab
