// Everything that can happen, as facts. The trace is made of these and of nothing else.
//
// A fact is a small plain struct: numbers and symbols, so that a million of them are one block of
// memory. Each says how it can be known:
//   observed   who tells it saw it
//   inferred   it follows from what was seen, and could in principle be otherwise
//   sim_only   only a simulator can know it: no client could see it on a real network
// A live world may mark a fact lower than its kind (a lost connection's `graceful`), never higher.
//
// Its sentence stands beside its fields, for somebody who has never seen gRPC. There is no other
// place to add a fact to than this file: its name, its fields and its sentence reach the trace
// file, Python, the plots and the page from here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

#include "core/connectivity.h"
#include "core/duration.h"
#include "core/frame_type.h"
#include "core/status.h"
#include "core/time.h"
#include "trace/ids.h"
#include "trace/symbol.h"
#include "trace/teller.h"

namespace greetlab {

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
  Symbol address;  ///< Where it listens: "10.244.0.2:50051"; of each family one, with commas.
  static constexpr std::string_view kName = "PodChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"pod", &PodChanged::pod}, Field{"change", &PodChanged::change},
                      Field{"address", &PodChanged::address}};
  }
  std::string sentence(const Teller& t) const {
    if (t.word(change) == "started") return t.say(pod, " started");
    return t.say(pod, " is ", change);
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
  std::string sentence(const Teller& t) const {
    return t.say(service, " now lists ", t.counted(count, "endpoint"), ": ",
                 t.list(addresses, "nobody"));
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
  std::string sentence(const Teller& t) const {
    return t.say("the ClusterIP sends the new connection to ", endpoint);
  }
};

/// A server told a client to make no new calls on a connection (RFC 9113 6.8). The client sees what
/// arrives of it (`GoAwayReceived`), not when and why it was sent.
struct GoAwaySent {
  ConnectionId connection;
  Symbol reason;
  static constexpr std::string_view kName = "GoAwaySent";
  static constexpr Certainty kCertainty = Certainty::sim_only;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &GoAwaySent::connection},
                      Field{"reason", &GoAwaySent::reason}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " sends GOAWAY on a connection: ", reason);
  }
};

/// A pod and one call: `step` is "waits", "begins", "ends", "refuses", or "loses" where the client
/// of a call that waits has gone. `in_service` and `waiting` are what the pod has then. Told of
/// pods that have a capacity.
struct PodServed {
  CallId call;
  Symbol step;
  Duration waited;
  std::uint32_t in_service;
  std::uint32_t waiting;
  static constexpr std::string_view kName = "PodServed";
  static constexpr Certainty kCertainty = Certainty::sim_only;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &PodServed::call}, Field{"step", &PodServed::step},
                      Field{"waited", &PodServed::waited},
                      Field{"in_service", &PodServed::in_service},
                      Field{"waiting", &PodServed::waiting}};
  }
  std::string sentence(const Teller& t) const {
    const std::string load = t.say(": it serves ", t.counted(in_service, "call"), ", and ",
                                   std::to_string(waiting), waiting == 1 ? " waits" : " wait");
    const std::string_view what = t.word(step);
    if (what == "waits") return t.say(call, " waits at ", t.who, load);
    if (what == "refuses") return t.say(t.who, " refuses ", call, load);
    if (what == "loses") {
      return t.say("the client of ", call, " has gone, and ", t.who, " serves it no more", load);
    }
    if (what == "ends") return t.say(t.who, " has served ", call, load);
    const std::string after = waited.count() > 0
                                  ? t.say(", which has waited for ", t.milliseconds(waited))
                                  : std::string();
    return t.say(t.who, " begins to serve ", call, after, load);
  }
};

// --- The resolver --------------------------------------------------------------------------------

/// A lookup of a channel's target begins.
struct LookupStarted {
  Symbol name;
  static constexpr std::string_view kName = "LookupStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"name", &LookupStarted::name}}; }
  std::string sentence(const Teller& t) const { return t.say(t.who, " looks up ", name); }
};

/// One question of a lookup, on the wire, was answered, or given up.
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
  std::string sentence(const Teller& t) const {
    const std::string& rcode = t.word(status);
    if (rcode == "no_data") {
      return t.say("DNS: ", name, " is there, and has no ", type, " record (",
                   t.milliseconds(round_trip), ")");
    }
    const std::string answer = rcode == "ok" ? "has records" : t.say("is ", t.upper(rcode));
    return t.say("DNS: ", name, " ", type, " ", answer, " (", t.milliseconds(round_trip), ")");
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
  std::string sentence(const Teller& t) const {
    if (count == 0) {
      return t.say("the lookup of ", name, " found nothing: ", t.upper(t.word(status)));
    }
    const std::string found = t.counted(count, "address") + ": " + t.list(addresses);
    if (!t.both_families(addresses)) return t.say("the lookup found ", found);
    return t.say("the lookup found ", found,
                 ". DNS does not say which of them are one server's: each is an endpoint");
  }
};

/// Somebody asked the resolver for new addresses.
struct ReresolutionRequested {
  static constexpr std::string_view kName = "ReresolutionRequested";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{}; }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " would like newer addresses");
  }
};

/// A lookup was asked for too soon after the last one: the next lookup waits until then.
struct CooldownStarted {
  Time until;
  static constexpr std::string_view kName = "CooldownStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"until", &CooldownStarted::until}}; }
  std::string sentence(const Teller& t) const {
    return t.say("the last lookup is too recent: the next one waits until ", t.moment(until));
  }
};

/// The lookup failed: the next one waits until then.
struct ResolverBackoffStarted {
  Time until;
  static constexpr std::string_view kName = "ResolverBackoffStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"until", &ResolverBackoffStarted::until}};
  }
  std::string sentence(const Teller& t) const {
    return t.say("the lookup was of no use: it is tried again at ", t.moment(until));
  }
};

/// A client that watches was told of a service's endpoints: of all `slices` at first (`change` is
/// "LISTED"), and then of each that is "ADDED", "MODIFIED" or "DELETED" (Kubernetes' watch events).
/// `addresses` are those that the slices together say are to be called.
struct EndpointsTold {
  Symbol service;
  Symbol change;
  Symbol slice;
  std::uint32_t slices;
  Symbol addresses;
  std::uint32_t count;
  static constexpr std::string_view kName = "EndpointsTold";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"service", &EndpointsTold::service},     Field{"change", &EndpointsTold::change},
        Field{"slice", &EndpointsTold::slice},         Field{"slices", &EndpointsTold::slices},
        Field{"addresses", &EndpointsTold::addresses}, Field{"count", &EndpointsTold::count}};
  }
  std::string sentence(const Teller& t) const {
    const std::string to_call =
        t.say(t.counted(count, "address"), " to call: ", t.list(addresses, "nobody"));
    const std::string& how = t.word(change);
    if (how == "LISTED") {
      return t.say(t.who, " watches ", service, ": ", t.counted(slices, "slice"), " with ",
                   to_call);
    }
    const std::string_view news = how == "ADDED"     ? " is new"
                                  : how == "DELETED" ? " is gone"
                                                     : " has changed";
    return t.say(t.who, " is told that ", slice, news, ": ", service, " has ",
                 t.counted(slices, "slice"), " with ", to_call);
  }
};

/// Of some endpoints the cluster says whose clients they are for: those in these zones (`hints` of
/// an EndpointSlice; trafficDistribution, topology aware routing). kube-proxy heeds it.
struct ZonesHinted {
  Symbol service;
  Symbol zones;
  static constexpr std::string_view kName = "ZonesHinted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"service", &ZonesHinted::service}, Field{"zones", &ZonesHinted::zones}};
  }
  std::string sentence(const Teller& t) const {
    if (t.word(zones).empty()) return t.say("no endpoint of ", service, " is for a zone any more");
    return t.say("endpoints of ", service, " are for clients in ", zones,
                 ", the cluster hints: kube-proxy heeds it, ", t.who, " calls them all");
  }
};

/// A client hears no more of a service's endpoints: the API that told of them is gone, or says what
/// makes no sense, or what the client knows is too old for it. What it was told stands until it is
/// told anew; it asks again at `until`.
struct EndpointWatchEnded {
  Symbol service;
  Symbol reason;
  Time until;
  static constexpr std::string_view kName = "EndpointWatchEnded";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"service", &EndpointWatchEnded::service},
                      Field{"reason", &EndpointWatchEnded::reason},
                      Field{"until", &EndpointWatchEnded::until}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " hears no more of ", service, ": ", reason, ". It asks again at ",
                 t.moment(until), ", and goes by what it knows until then");
  }
};

/// A message between an xDS control plane and a client of it, which may be a proxy (gRFC A27):
/// `step` is "asked", "pushed", or what is said of the push of that version: "ACK", or "NACK", with
/// the reason in `detail`. `type` is "LDS", "RDS", "CDS" or "EDS".
struct XdsExchanged {
  Symbol client;
  Symbol step;
  Symbol type;
  Symbol version;
  Symbol detail;
  static constexpr std::string_view kName = "XdsExchanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"client", &XdsExchanged::client}, Field{"step", &XdsExchanged::step},
                      Field{"type", &XdsExchanged::type}, Field{"version", &XdsExchanged::version},
                      Field{"detail", &XdsExchanged::detail}};
  }
  std::string sentence(const Teller& t) const {
    const std::string_view what = t.word(step);
    const std::string one = t.say(type, " version ", version);
    if (what == "asked") {
      return t.say(client, " asks the control plane for ", type, ": ", detail);
    }
    if (what == "pushed") return t.say("the control plane tells ", client, " ", one, ": ", detail);
    if (what == "ACK") return t.say(client, " takes ", one, " (ACK)");
    return t.say(client, " refuses ", one, " (NACK): ", detail);
  }
};

/// A proxy says what it has done for one of its endpoints: how many connections it has to it, and
/// how many calls it has sent there since the endpoint was listed. What a client sees ends at the
/// proxy.
struct ProxyReported {
  Symbol endpoint;
  std::uint32_t connections;
  std::uint32_t calls;
  static constexpr std::string_view kName = "ProxyReported";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"endpoint", &ProxyReported::endpoint},
                      Field{"connections", &ProxyReported::connections},
                      Field{"calls", &ProxyReported::calls}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " says that it has ", t.counted(connections, "connection"), " to ",
                 endpoint, ", and has sent ", t.counted(calls, "call"),
                 " there since it was listed");
  }
};

/// This service config is in force from now on; `source` is "DNS" or "the channel itself". An empty
/// text: there is none any more.
struct ServiceConfigTaken {
  Symbol source;
  Symbol text;
  static constexpr std::string_view kName = "ServiceConfigTaken";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"source", &ServiceConfigTaken::source},
                      Field{"text", &ServiceConfigTaken::text}};
  }
  std::string sentence(const Teller& t) const {
    if (t.word(text).empty()) return t.say(t.who, " has no service config any more");
    return t.say(t.who, " does as the service config of ", source, " says: ", text);
  }
};

/// What `source` has for a service config makes no sense; `kept`: the one before it stays in force
/// (gRFC A21).
struct ServiceConfigRefused {
  Symbol source;
  Symbol reason;
  bool kept;
  static constexpr std::string_view kName = "ServiceConfigRefused";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"source", &ServiceConfigRefused::source},
                      Field{"reason", &ServiceConfigRefused::reason},
                      Field{"kept", &ServiceConfigRefused::kept}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(
        t.who, " refuses the service config of ", source,
        kept ? ", and goes on as before: " : ", and has none to go on with, so its calls fail: ",
        reason);
  }
};

// --- The policy ----------------------------------------------------------------------------------

/// The policy was given a list of addresses; `pending`: for now the policy keeps the list before
/// it.
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
  std::string sentence(const Teller& t) const {
    return t.say("the policy is given ", t.counted(count, "address"),
                 pending ? ", but goes on with the list it has for now" : "");
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
  std::string sentence(const Teller& t) const {
    return t.say("the new list of addresses takes over: ", reason);
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
  std::string sentence(const Teller& t) const {
    const std::string& name = t.word(picker);
    if (name == "queue") return "calls have to wait for now";
    if (name == "fail") return "calls fail for now";
    if (name == "pick_first") return "every call goes to the one READY connection from now on";
    if (name == "ring_hash_experimental") {
      return t.say("each call goes where its key is on the ring, from now on; ",
                   t.counted(ready, "pod"), " of it ", ready == 1 ? "is" : "are", " connected");
    }
    const bool in_turns = name == "round_robin";
    return t.say("calls are shared by ", name, " among ", t.counted(ready, "READY connection"),
                 " from now on",
                 in_turns ? t.say("; number ", std::uint64_t{start} + 1, " of them is next") : "");
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
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " is ", to_string(to), " (it was ", to_string(from), ")", t.reason(reason));
  }
};

/// outlier_detection takes an endpoint out of its child's sight (gRFC A50). Of its `calls` in the
/// last interval `failed` ended with another status than OK. `algorithm`: "success_rate", and then
/// `least` is the share of calls, in millionths, that had to end with OK as the others' do; or
/// "failure_percentage", by its own figures alone. It is put out for the `times`th time, and each
/// time for longer.
struct EndpointEjected {
  Symbol endpoint;
  Symbol algorithm;
  std::uint32_t calls;
  std::uint32_t failed;
  std::uint32_t least;
  std::uint32_t times;
  static constexpr std::string_view kName = "EndpointEjected";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"endpoint", &EndpointEjected::endpoint},
                      Field{"algorithm", &EndpointEjected::algorithm},
                      Field{"calls", &EndpointEjected::calls},
                      Field{"failed", &EndpointEjected::failed},
                      Field{"least", &EndpointEjected::least},
                      Field{"times", &EndpointEjected::times}};
  }
  std::string sentence(const Teller& t) const {
    const bool by_others = t.word(algorithm) == "success_rate";
    return t.say(endpoint, " is an outlier, and gets no calls for a while: ", failed, " of ",
                 t.counted(calls, "call"), " failed, where no more than ",
                 t.percent(1'000'000 - least),
                 by_others ? " may, going by how the others do" : " may",
                 times > 1 ? t.say("; it is put out ", times, " times as long as at first") : "");
  }
};

/// An endpoint that was ejected is back in sight, after so long.
struct EndpointReturned {
  Symbol endpoint;
  Duration ejected;
  static constexpr std::string_view kName = "EndpointReturned";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"endpoint", &EndpointReturned::endpoint},
                      Field{"ejected", &EndpointReturned::ejected}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(endpoint, " gets calls again after ", to_text(ejected),
                 ": it may show whether it is better");
  }
};

/// weighted_round_robin sends `share` of 1,000 calls to a subchannel from now on (gRFC A58).
/// `reported`: by the load that it reports; if not, it has reported none, or none for too long, or
/// not for long enough, and has the mean of the others.
struct WeightChanged {
  SubchannelId subchannel;
  std::uint32_t share;
  bool reported;
  static constexpr std::string_view kName = "WeightChanged";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &WeightChanged::subchannel},
                      Field{"share", &WeightChanged::share},
                      Field{"reported", &WeightChanged::reported}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(
        t.address(subchannel), " gets ", t.percent(share * 1000), " of the calls from now on, ",
        reported ? "by the load that it reports"
                 : "as much as the mean of the others: of its own load not enough is known");
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
  std::string sentence(const Teller& t) const {
    return t.say("there is a subchannel for ", address);
  }
};

/// The subchannel's connectivity state; `reason` says why where an attempt failed.
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
  std::string sentence(const Teller& t) const {
    return t.say(t.address(subchannel), " is ", to_string(to), " (it was ", to_string(from), ")",
                 t.reason(reason));
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
  std::string sentence(const Teller& t) const {
    const std::string again = attempt > 1 ? t.say(", attempt ", attempt) : std::string();
    return t.say(t.who, " dials ", t.address(subchannel), again);
  }
};

/// TLS is agreed on: `protocol` "TLSv1.3", after `round_trips` to the server, and `took` since TCP
/// was connected. The server's certificate says `name` (RFC 9525), as it had to. So is HTTP/2
/// (ALPN, RFC 7301): a handshake without it is a failure (RFC 9113 3.2).
struct TlsHandshake {
  ConnectionId connection;
  Symbol protocol;
  Symbol name;
  std::uint32_t round_trips;
  Duration took;
  static constexpr std::string_view kName = "TlsHandshake";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"connection", &TlsHandshake::connection}, Field{"protocol", &TlsHandshake::protocol},

        Field{"name", &TlsHandshake::name}, Field{"round_trips", &TlsHandshake::round_trips},
        Field{"took", &TlsHandshake::took}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(protocol, " with ", t.dialled(connection), " after ",
                 t.counted(round_trips, "round trip"), " (", t.milliseconds(took),
                 "): its certificate is for ", name, ", as it must be; HTTP/2 is agreed on (ALPN)");
  }
};

/// The connection is up: the server's SETTINGS frame has come. `local` is our end.
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
  std::string sentence(const Teller& t) const {
    return t.say("the connection to ", t.address(subchannel), " is up");
  }
};

/// The attempt failed: `reason` is what the kernel or the peer said.
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
  std::string sentence(const Teller& t) const {
    return t.say("the connection to ", t.address(subchannel), " could not be made",
                 t.reason(reason));
  }
};

/// The server takes no new calls on a connection, and has looked at none after `last_stream` (RFC
/// 9113 6.8). `error`: "NO_ERROR" and others; `debug`: its own words, if any. A server that ends a
/// connection in order says so twice: first with the largest number that there is.
struct GoAwayReceived {
  ConnectionId connection;
  std::uint32_t last_stream;
  Symbol error;
  Symbol debug;
  static constexpr std::string_view kName = "GoAwayReceived";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &GoAwayReceived::connection},
                      Field{"last_stream", &GoAwayReceived::last_stream},
                      Field{"error", &GoAwayReceived::error},
                      Field{"debug", &GoAwayReceived::debug}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.dialled(connection), " sends GOAWAY (", error, "): no new calls",
                 last_stream == 0x7fffffff
                     ? std::string()
                     : t.say(", and none after stream ", last_stream, " was looked at"),
                 t.reason(debug));
  }
};

/// The server has been silent for a while: it is asked whether it is still there (gRFC A8).
struct PingSent {
  ConnectionId connection;
  static constexpr std::string_view kName = "PingSent";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"connection", &PingSent::connection}}; }
  std::string sentence(const Teller& t) const {
    return t.say("nothing has come from ", t.dialled(connection), " for a while: a PING asks it");
  }
};

/// It is: its answer to a PING took `round_trip`.
struct PingAnswered {
  ConnectionId connection;
  Duration round_trip;
  static constexpr std::string_view kName = "PingAnswered";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &PingAnswered::connection},
                      Field{"round_trip", &PingAnswered::round_trip}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.dialled(connection), " answers the PING (", t.milliseconds(round_trip), ")");
  }
};

/// Nothing has come for `waited` after a PING: the client gives the connection up.
struct PingUnanswered {
  ConnectionId connection;
  Duration waited;
  static constexpr std::string_view kName = "PingUnanswered";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &PingUnanswered::connection},
                      Field{"waited", &PingUnanswered::waited}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.dialled(connection), " has not answered the PING for ", to_text(waited),
                 ": it is taken for dead");
  }
};

/// A server has had too many pings: the channel's connections to come ask after `every` of
/// silence (gRFC A8). The one place where a GOAWAY's debug text is evidence: A8 says so.
struct KeepaliveThrottled {
  Duration every;
  static constexpr std::string_view kName = "KeepaliveThrottled";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() { return std::tuple{Field{"every", &KeepaliveThrottled::every}}; }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " sends PINGs half as often from now on: after ", to_text(every),
                 " of silence");
  }
};

/// A connection takes no more calls: it ended, or, `graceful`, a GOAWAY has come, and what is in
/// flight goes on. `reason`: what the kernel said, or who hung up.
struct ConnectionLost {
  SubchannelId subchannel;
  ConnectionId connection;
  Graceful graceful;
  Symbol reason;
  static constexpr std::string_view kName = "ConnectionLost";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &ConnectionLost::subchannel},
                      Field{"connection", &ConnectionLost::connection},
                      Field{"graceful", &ConnectionLost::graceful},
                      Field{"reason", &ConnectionLost::reason}};
  }
  std::string sentence(const Teller& t) const {
    const std::string_view how = graceful == Graceful::yes
                                     ? "was ended in order (GOAWAY): it takes no new calls"
                                 : graceful == Graceful::no ? "broke"
                                                            : "is gone";
    return t.say("the connection to ", t.address(subchannel), " ", how, t.reason(reason));
  }
};

/// The subchannel makes no attempt before then: `delay` from now. The backoff was counted from the
/// *start* of the attempt that failed, so after a slow failure less of it is left.
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
  std::string sentence(const Teller& t) const {
    return t.say(t.address(subchannel), " is left alone until ", t.moment(until), " (backoff)");
  }
};

/// The server's health service says (gRFC A17): `service`, of which it was asked ("": all of it),
/// is "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" or "UNKNOWN". SERVING alone makes the subchannel
/// READY for its policy.
struct HealthReported {
  SubchannelId subchannel;
  ConnectionId connection;
  Symbol service;
  Symbol status;
  static constexpr std::string_view kName = "HealthReported";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"subchannel", &HealthReported::subchannel},
                      Field{"connection", &HealthReported::connection},
                      Field{"service", &HealthReported::service},
                      Field{"status", &HealthReported::status}};
  }
  std::string sentence(const Teller& t) const {
    const std::string what = t.word(service).empty() ? "it" : t.word(service);
    return t.say(t.address(subchannel), " says that ", what, " is ", status,
                 t.word(status) == "SERVING" ? ": it may get calls" : ": it gets no calls");
  }
};

/// The stream on which a server tells its health has ended. UNIMPLEMENTED: it has no health
/// service, and counts as healthy. Any other code: it gets no calls, and is asked again at `again`.
struct HealthWatchEnded {
  SubchannelId subchannel;
  ConnectionId connection;
  Code code;
  Symbol message;
  Time again;
  static constexpr std::string_view kName = "HealthWatchEnded";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"subchannel", &HealthWatchEnded::subchannel},
        Field{"connection", &HealthWatchEnded::connection}, Field{"code", &HealthWatchEnded::code},
        Field{"message", &HealthWatchEnded::message}, Field{"again", &HealthWatchEnded::again}};
  }
  std::string sentence(const Teller& t) const {
    if (code == Code::unimplemented) {
      return t.say(t.address(subchannel),
                   " has no health service (UNIMPLEMENTED): it counts as healthy");
    }
    return t.say(t.address(subchannel), " does not say how it is (", to_string(code),
                 t.reason(message), "): it gets no calls, and is asked again at ", t.moment(again));
  }
};

// --- The wire ------------------------------------------------------------------------------------

/// An HTTP/2 frame went (`sent`, by the client) or came, whole; only where frames are asked for.
/// `stream` 0 is the connection's own (RFC 9113 5.1.1). `call`: whose stream it is; 0: nobody's.
/// `length` is that of its payload, behind the 9 bytes of its head; `payload` its first bytes, in
/// hex digits.
struct FrameSeen {
  ConnectionId connection;
  CallId call;
  std::uint32_t stream;
  std::uint32_t length;
  Symbol payload;
  bool sent;
  FrameType type;
  std::uint8_t flags;
  static constexpr std::string_view kName = "FrameSeen";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"connection", &FrameSeen::connection},
                      Field{"sent", &FrameSeen::sent},
                      Field{"type", &FrameSeen::type},
                      Field{"stream", &FrameSeen::stream},
                      Field{"length", &FrameSeen::length},
                      Field{"flags", &FrameSeen::flags},
                      Field{"call", &FrameSeen::call},
                      Field{"payload", &FrameSeen::payload}};
  }
  std::string sentence(const Teller& t) const {
    const std::string known = t.dialled(connection);
    const std::string pod =
        known.empty() ? t.say("connection ", static_cast<std::uint32_t>(connection)) : known;
    const std::string way = sent ? t.say(t.who, " \u2192 ", pod) : t.say(pod, " \u2192 ", t.who);
    const std::string words = flags_in_words(type, flags);
    return t.say(way, ": ", to_string(type), stream == 0 ? "" : t.say(", stream ", stream), ", ",
                 t.counted(length, "byte"), words.empty() ? "" : ", ", words);
  }
  /// What this one has that no frame can have, in words; "" where it can be: who reads facts from
  /// outside asks.
  std::string_view fault(const Symbols& symbols) const {
    const std::string& hex = symbols.word(payload);
    if (length > 0xffffff) return "field \"length\" is above 2^24 - 1";
    if (stream > 0x7fffffff) return "field \"stream\" is above 2^31 - 1";
    if (hex.size() != 2 * std::min<std::size_t>(length, kFrameExcerpt)) {
      return "field \"payload\" has not the two digits a byte that its length asks for";
    }
    if (hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return "field \"payload\" is not in hex digits";
    }
    return {};
  }
};

// --- The calls -----------------------------------------------------------------------------------

/// The application called.
struct CallStarted {
  CallId call;
  bool wait_for_ready;
  static constexpr std::string_view kName = "CallStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallStarted::call},
                      Field{"wait_for_ready", &CallStarted::wait_for_ready}};
  }
  std::string sentence(const Teller& t) const { return t.say(call, " begins"); }
};

/// There is nobody to send the call to yet: the call waits for the next picker.
struct CallQueued {
  CallId call;
  Symbol reason;
  static constexpr std::string_view kName = "CallQueued";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallQueued::call}, Field{"reason", &CallQueued::reason}};
  }
  std::string sentence(const Teller& t) const { return t.say(call, " waits: ", reason); }
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
  std::string sentence(const Teller& t) const {
    return t.say(call, " goes to ", t.address(subchannel));
  }
};

/// The server takes `most` calls at once on a connection (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113
/// 5.1.2), and has them: the call waits for the end of one.
struct StreamAwaited {
  CallId call;
  ConnectionId connection;
  std::uint32_t most;
  static constexpr std::string_view kName = "StreamAwaited";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &StreamAwaited::call},
                      Field{"connection", &StreamAwaited::connection},
                      Field{"most", &StreamAwaited::most}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(call, " waits on its connection: ", t.dialled(connection), " takes ",
                 t.counted(most, "call"), " at once");
  }
};

/// Nothing of the call was sent, or the server says that it has not looked at it: the call is
/// picked again (gRFC A6, transparent retries).
struct CallUnsent {
  CallId call;
  ConnectionId connection;
  static constexpr std::string_view kName = "CallUnsent";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &CallUnsent::call},
                      Field{"connection", &CallUnsent::connection}};
  }
  std::string sentence(const Teller& t) const {
    return t.say("the server has not looked at ", call, ": it is picked again");
  }
};

/// An attempt at a call ended, and the call goes on, or ends with another one (gRFC A6). `attempt`
/// counts from 1. Its pod and its connection are none where it was not sent.
struct AttemptEnded {
  CallId call;
  std::uint32_t attempt;
  Code code;
  ConnectionId connection;
  Symbol pod;
  Symbol message;
  static constexpr std::string_view kName = "AttemptEnded";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"call", &AttemptEnded::call}, Field{"attempt", &AttemptEnded::attempt},
        Field{"code", &AttemptEnded::code}, Field{"connection", &AttemptEnded::connection},
        Field{"pod", &AttemptEnded::pod},   Field{"message", &AttemptEnded::message}};
  }
  std::string sentence(const Teller& t) const {
    const std::string place = t.dialled(connection);
    const std::string sent = place.empty() ? std::string() : t.say(", sent to ", place, ",");
    return t.say("attempt ", attempt, " at ", call, sent, " ended with ", to_string(code), ": ",
                 message);
  }
};

/// The call is tried again: attempt number `attempt` is begun at `until`. When, the backoff says,
/// or, `pushback`, the server (gRFC A6).
struct RetryScheduled {
  CallId call;
  std::uint32_t attempt;
  Time until;
  bool pushback;
  static constexpr std::string_view kName = "RetryScheduled";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{
        Field{"call", &RetryScheduled::call}, Field{"attempt", &RetryScheduled::attempt},
        Field{"until", &RetryScheduled::until}, Field{"pushback", &RetryScheduled::pushback}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(call, " is tried again at ", t.moment(until),
                 pushback ? ", as the server says" : "", ": attempt ", attempt);
  }
};

/// The call is not tried again, though its code alone would ask for it (gRFC A6).
struct RetryRefused {
  CallId call;
  Symbol reason;
  static constexpr std::string_view kName = "RetryRefused";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &RetryRefused::call}, Field{"reason", &RetryRefused::reason}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(call, " is not tried again: ", reason);
  }
};

/// A client's retry tokens have become more or fewer; in thousandths of one. At half of them or
/// fewer nothing is tried again (gRFC A6, retryThrottling).
struct RetryTokens {
  std::uint32_t tokens;
  std::uint32_t most;
  static constexpr std::string_view kName = "RetryTokens";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"tokens", &RetryTokens::tokens}, Field{"most", &RetryTokens::most}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(t.who, " has ", t.thousandths(tokens), " of ", t.thousandths(most),
                 " retry tokens",
                 tokens > most / 2 ? "" : ": no more than half of them, nothing is tried again");
  }
};

/// No answer yet: another attempt at the call is sent beside the ones under way (gRFC A6, hedging).
struct HedgeStarted {
  CallId call;
  std::uint32_t attempt;
  static constexpr std::string_view kName = "HedgeStarted";
  static constexpr Certainty kCertainty = Certainty::observed;
  static constexpr auto fields() {
    return std::tuple{Field{"call", &HedgeStarted::call}, Field{"attempt", &HedgeStarted::attempt}};
  }
  std::string sentence(const Teller& t) const {
    return t.say(call, " has no answer yet: attempt ", attempt, " is sent beside it");
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
  std::string sentence(const Teller& t) const {
    if (code == Code::ok) return t.say(call, " was answered by ", pod);
    const std::string place = t.dialled(connection);
    const std::string sent = place.empty() ? std::string() : t.say(", sent to ", place, ",");
    return t.say(call, sent, " failed with ", to_string(code), ": ", message);
  }
};

using Fact = std::variant<
    PodChanged, EndpointsChanged, ProxyRouted, GoAwaySent, PodServed, LookupStarted, QueryAnswered,
    LookupEnded, ReresolutionRequested, CooldownStarted, ResolverBackoffStarted, ServiceConfigTaken,
    ServiceConfigRefused, EndpointsTold, ZonesHinted, EndpointWatchEnded, XdsExchanged,
    ProxyReported, AddressListTaken, ListSwapped, PickerPublished, ChannelStateChanged,
    EndpointEjected, EndpointReturned, WeightChanged, SubchannelCreated, SubchannelStateChanged,
    ConnectStarted, TlsHandshake, Connected, ConnectFailed, GoAwayReceived, PingSent, PingAnswered,
    PingUnanswered, KeepaliveThrottled, ConnectionLost, BackoffStarted, HealthReported,
    HealthWatchEnded, FrameSeen, CallStarted, CallQueued, Picked, StreamAwaited, CallUnsent,
    AttemptEnded, RetryScheduled, RetryRefused, RetryTokens, HedgeStarted, CallEnded>;

}  // namespace greetlab
