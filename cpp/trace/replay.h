// What the events of a trace add up to: the world at event n, and the calls and connections that
// there were until then.
//
// The one place where events are added up. Who tells a trace (whose address is subchannel 3?), who
// steps through it (what does the world look like after event 412?) and who draws it (which calls
// over which connections, from when to when?) all ask here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/connectivity.h"
#include "core/status.h"
#include "trace/fact.h"
#include "trace/trace.h"

namespace greetlab {

/// Counts the events that a `Replay` was given, from 0.
using Row = std::int64_t;
/// Counts the rows of one of its tables, from 0: a call's `connection` is its place in
/// `connections`.
enum class Place : std::int64_t { none = -1 };
/// What has not happened, or to nobody.
inline constexpr Row kNoRow = -1;

/// A column of a table: its name, where it is, and the column of the row that it was known from: a
/// call's `pod` is known `since` its `end`.
template <class Table, class Value>
struct Column {
  std::string_view name;
  Value Table::* member;
  std::string_view since = "start";
};
template <class Table, class Value, class... Since>
Column(const char*, Value Table::*, Since...) -> Column<Table, Value>;

class Replay {
 public:
  // What there was, in the order in which it began: a row is where it happened.

  /// A lookup of a channel's name.
  struct LookupRow {
    Symbol client;
    Symbol name;
    Row start;
    Row end = kNoRow;
    std::uint32_t count = 0;
    Symbol addresses{};
    Symbol status{};
    static constexpr std::string_view kName = "lookups";
    static constexpr auto columns() {
      using L = LookupRow;
      return std::tuple{
          Column{"client", &L::client},       Column{"name", &L::name},
          Column{"start", &L::start},         Column{"end", &L::end, "end"},
          Column{"count", &L::count, "end"},  Column{"addresses", &L::addresses, "end"},
          Column{"status", &L::status, "end"}};
    }
  };

  /// A list of addresses, from when its policy uses it.
  struct ListRow {
    Symbol client;
    Row start;
    Symbol addresses;
    static constexpr std::string_view kName = "lists";
    static constexpr auto columns() {
      return std::tuple{Column{"client", &ListRow::client}, Column{"start", &ListRow::start},
                        Column{"addresses", &ListRow::addresses}};
    }
  };

  struct SubchannelRow {
    SubchannelId id;
    Symbol client;
    Symbol address;
    Row start;
    Row end = kNoRow;           ///< SHUTDOWN.
    ConnectivityState state{};  ///< Its last one.
    static constexpr std::string_view kName = "subchannels";
    static constexpr auto columns() {
      using S = SubchannelRow;
      return std::tuple{Column{"id", &S::id}, Column{"client", &S::client},
                        Column{"address", &S::address}, Column{"start", &S::start},
                        Column{"end", &S::end, "end"}};
    }
  };

  /// An attempt to connect, and what came of it. At most one of `failed`, `lost` and `closed` has
  /// happened.
  struct ConnectionRow {
    ConnectionId id;
    Symbol client;
    Place subchannel;
    Symbol address;
    Row start;
    Row up = kNoRow;
    Row goaway = kNoRow;
    Row failed = kNoRow;
    Row lost = kNoRow;
    Row closed = kNoRow;  ///< With its subchannel.
    Graceful graceful{};
    Row routed = kNoRow;  ///< By a ClusterIP, to `endpoint`.
    Symbol endpoint{};
    Row answered = kNoRow;  ///< First, by `pod`.
    Symbol pod{};
    static constexpr std::string_view kName = "connections";
    static constexpr auto columns() {
      using C = ConnectionRow;
      return std::tuple{Column{"id", &C::id},
                        Column{"client", &C::client},
                        Column{"subchannel", &C::subchannel},
                        Column{"address", &C::address},
                        Column{"start", &C::start},
                        Column{"up", &C::up, "up"},
                        Column{"goaway", &C::goaway, "goaway"},
                        Column{"failed", &C::failed, "failed"},
                        Column{"lost", &C::lost, "lost"},
                        Column{"closed", &C::closed, "closed"},
                        Column{"graceful", &C::graceful, "lost"},
                        Column{"routed", &C::routed, "routed"},
                        Column{"endpoint", &C::endpoint, "routed"},
                        Column{"answered", &C::answered, "answered"},
                        Column{"pod", &C::pod, "answered"}};
    }
  };

  struct CallRow {
    CallId id;
    Symbol client;
    Row start = kNoRow;   ///< A trace that was cut out of another may lack it.
    Row queued = kNoRow;  ///< First.
    Row picked = kNoRow;  ///< Last.
    Row end = kNoRow;
    Place subchannel = Place::none;  ///< That it was sent on, and the connection.
    Place connection = Place::none;
    Code code{};
    Symbol pod{};
    bool waits = false;
    static constexpr std::string_view kName = "calls";
    static constexpr auto columns() {
      using C = CallRow;
      return std::tuple{Column{"id", &C::id},
                        Column{"client", &C::client},
                        Column{"start", &C::start},
                        Column{"queued", &C::queued, "queued"},
                        Column{"picked", &C::picked, "picked"},
                        Column{"end", &C::end, "end"},
                        Column{"subchannel", &C::subchannel, "picked"},
                        Column{"connection", &C::connection, "picked"},
                        Column{"code", &C::code, "end"},
                        Column{"pod", &C::pod, "end"}};
    }
  };

  /// An HTTP/2 frame; what else there is to say of it stands in its event.
  struct FrameRow {
    Row start;
    Place connection;
    Place call;
    static constexpr std::string_view kName = "frames";
    static constexpr auto columns() {
      return std::tuple{Column{"start", &FrameRow::start},
                        Column{"connection", &FrameRow::connection},
                        Column{"call", &FrameRow::call}};
    }
  };

  /// A client now.
  struct Client {
    ConnectivityState state{};
    Symbol addresses{};  ///< The list in use: "a,b".
    std::optional<Symbol> pending;
    Symbol picker{};  ///< None: nobody has published one.
    std::uint32_t ready = 0;
    std::uint64_t ended = 0;
  };

  /// Adds one event; they come in their order.
  void apply(const Event& event);

  /// How many there were.
  Row events() const { return events_; }
  /// Of the last one.
  Time now() const { return now_; }

  const std::vector<LookupRow>& lookups() const { return lookups_; }
  const std::vector<ListRow>& lists() const { return lists_; }
  const std::vector<SubchannelRow>& subchannels() const { return subchannels_; }
  const std::vector<ConnectionRow>& connections() const { return connections_; }
  const std::vector<CallRow>& calls() const { return calls_; }
  const std::vector<FrameRow>& frames() const { return frames_; }

  // The world now, each in the order of its first event.
  const std::vector<std::pair<Symbol, Client>>& clients() const { return clients_; }
  /// Pods and what happened to each last.
  const std::vector<std::pair<Symbol, Symbol>>& pods() const { return pods_; }
  /// Pods that have a capacity: how many calls each served, and how many waited, when it last told.
  /// One that is dead does neither.
  struct PodLoad {
    std::uint32_t in_service = 0;
    std::uint32_t waiting = 0;
  };
  const std::vector<std::pair<Symbol, PodLoad>>& loads() const { return loads_; }
  /// Services and their addresses.
  const std::vector<std::pair<Symbol, Symbol>>& endpoints() const { return endpoints_; }

  /// nullptr for one that the trace does not tell of.
  const SubchannelRow* find(SubchannelId id) const;
  const ConnectionRow* find(ConnectionId id) const;

 private:
  template <class Id>
  using Places = std::unordered_map<Id, std::size_t>;

  Client& client(Symbol who);
  CallRow& call(CallId id, Symbol who);
  ConnectionRow* connection(ConnectionId id);

  void add(const PodChanged& fact, Symbol who);
  void add(const EndpointsChanged& fact, Symbol who);
  void add(const ProxyRouted& fact, Symbol who);
  void add(const GoAwaySent& fact, Symbol who);
  void add(const PodServed& fact, Symbol who);
  void add(const GoAwayReceived& fact, Symbol who);
  void add(const LookupStarted& fact, Symbol who);
  void add(const LookupEnded& fact, Symbol who);
  void add(const AddressListTaken& fact, Symbol who);
  void add(const ListSwapped& fact, Symbol who);
  void add(const PickerPublished& fact, Symbol who);
  void add(const ChannelStateChanged& fact, Symbol who);
  void add(const SubchannelCreated& fact, Symbol who);
  void add(const SubchannelStateChanged& fact, Symbol who);
  void add(const ConnectStarted& fact, Symbol who);
  void add(const Connected& fact, Symbol who);
  void add(const ConnectFailed& fact, Symbol who);
  void add(const ConnectionLost& fact, Symbol who);
  void add(const FrameSeen& fact, Symbol who);
  void add(const CallStarted& fact, Symbol who);
  void add(const CallQueued& fact, Symbol who);
  void add(const Picked& fact, Symbol who);
  void add(const CallUnsent& fact, Symbol who);
  void add(const AttemptEnded& fact, Symbol who);
  void add(const CallEnded& fact, Symbol who);
  /// The others change nothing of this.
  template <class Other>
  void add(const Other&, Symbol) {}

  Row events_ = 0;
  Row row_ = kNoRow;  // of the event that is being added
  Time now_{};

  std::vector<LookupRow> lookups_;
  std::vector<ListRow> lists_;
  std::vector<SubchannelRow> subchannels_;
  std::vector<ConnectionRow> connections_;
  std::vector<CallRow> calls_;
  std::vector<FrameRow> frames_;
  Places<SubchannelId> subchannel_at_;
  Places<ConnectionId> connection_at_;
  Places<CallId> call_at_;
  std::unordered_map<SubchannelId, std::size_t> last_connection_;
  std::unordered_map<Symbol, std::size_t> open_lookup_;  // by who asked

  std::vector<std::pair<Symbol, Client>> clients_;
  Places<Symbol> client_at_;
  std::vector<std::pair<Symbol, Symbol>> pods_;
  std::vector<std::pair<Symbol, PodLoad>> loads_;
  std::vector<std::pair<Symbol, Symbol>> endpoints_;
};

}  // namespace greetlab
