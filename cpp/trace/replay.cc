#include "trace/replay.h"

#include <algorithm>
#include <utility>

namespace greetlab {

namespace {

template <class Value>
void set(std::vector<std::pair<Symbol, Value>>& table, Symbol key, Value value) {
  const auto found = std::ranges::find(table, key, &std::pair<Symbol, Value>::first);
  if (found == table.end()) {
    table.emplace_back(key, value);
  } else {
    found->second = value;
  }
}

template <class Places, class Id>
Place place(const Places& places, Id id) {
  const auto found = places.find(id);
  return found == places.end() ? Place::none : static_cast<Place>(found->second);
}

template <class Row, class Places, class Id>
Row* at(std::vector<Row>& table, const Places& places, Id id) {
  const auto found = places.find(id);
  return found == places.end() ? nullptr : &table[found->second];
}

}  // namespace

void Replay::apply(const Event& event) {
  row_ = events_++;
  now_ = event.at;
  std::visit([&](const auto& fact) { add(fact, event.who); }, event.fact);
}

const Replay::SubchannelRow* Replay::find(SubchannelId id) const {
  const auto found = subchannel_at_.find(id);
  return found == subchannel_at_.end() ? nullptr : &subchannels_[found->second];
}

const Replay::ConnectionRow* Replay::find(ConnectionId id) const {
  const auto found = connection_at_.find(id);
  return found == connection_at_.end() ? nullptr : &connections_[found->second];
}

Replay::ConnectionRow* Replay::connection(ConnectionId id) {
  return at(connections_, connection_at_, id);
}

Replay::Client& Replay::client(Symbol who) {
  const auto [found, is_new] = client_at_.try_emplace(who, clients_.size());
  if (is_new) clients_.emplace_back(who, Client{});
  return clients_[found->second].second;
}

Replay::CallRow& Replay::call(CallId id, Symbol who) {
  const auto [found, is_new] = call_at_.try_emplace(id, calls_.size());
  if (is_new) {
    client(who);
    calls_.push_back({.id = id, .client = who});
  }
  return calls_[found->second];
}

// --- The cluster ---------------------------------------------------------------------------------

void Replay::add(const PodChanged& fact, Symbol) {
  set(pods_, fact.pod, fact.change);
}

void Replay::add(const EndpointsChanged& fact, Symbol) {
  set(endpoints_, fact.service, fact.addresses);
}

void Replay::add(const ProxyRouted& fact, Symbol) {
  if (ConnectionRow* const one = connection(fact.connection)) {
    one->routed = row_;
    one->endpoint = fact.endpoint;
  }
}

void Replay::add(const GoAwaySent& fact, Symbol) {
  if (ConnectionRow* const one = connection(fact.connection)) one->goaway = row_;
}

void Replay::add(const PodServed& fact, Symbol who) {
  set(loads_, who, PodLoad{fact.in_service, fact.waiting});
}

void Replay::add(const GoAwayReceived& fact, Symbol) {
  ConnectionRow* const one = connection(fact.connection);
  if (one != nullptr && one->goaway == kNoRow) one->goaway = row_;
}

// --- The resolver --------------------------------------------------------------------------------

void Replay::add(const LookupStarted& fact, Symbol who) {
  open_lookup_[who] = lookups_.size();
  lookups_.push_back({.client = who, .name = fact.name, .start = row_});
}

void Replay::add(const LookupEnded& fact, Symbol who) {
  const auto open = open_lookup_.find(who);
  if (open == open_lookup_.end()) return;
  LookupRow& one = lookups_[open->second];
  one.end = row_;
  one.count = fact.count;
  one.addresses = fact.addresses;
  one.status = fact.status;
  open_lookup_.erase(open);
}

// --- The policy ----------------------------------------------------------------------------------

void Replay::add(const AddressListTaken& fact, Symbol who) {
  Client& one = client(who);
  if (fact.pending) {
    one.pending = fact.addresses;
    return;
  }
  one.addresses = fact.addresses;
  one.pending.reset();
  lists_.push_back({who, row_, one.addresses});
}

void Replay::add(const ListSwapped&, Symbol who) {
  Client& one = client(who);
  one.addresses = one.pending.value_or(Symbol::none);
  one.pending.reset();
  lists_.push_back({who, row_, one.addresses});
}

void Replay::add(const PickerPublished& fact, Symbol who) {
  Client& one = client(who);
  one.picker = fact.picker;
  one.ready = fact.ready;
}

void Replay::add(const ChannelStateChanged& fact, Symbol who) {
  client(who).state = fact.to;
}

// --- The subchannels and their connections -------------------------------------------------------

void Replay::add(const SubchannelCreated& fact, Symbol who) {
  client(who);
  subchannel_at_[fact.subchannel] = subchannels_.size();
  subchannels_.push_back(
      {.id = fact.subchannel, .client = who, .address = fact.address, .start = row_});
}

void Replay::add(const SubchannelStateChanged& fact, Symbol) {
  SubchannelRow* const one = at(subchannels_, subchannel_at_, fact.subchannel);
  if (one == nullptr) return;
  one->state = fact.to;
  if (fact.to != ConnectivityState::shutdown) return;
  one->end = row_;
  ConnectionRow* const last = at(connections_, last_connection_, fact.subchannel);
  if (last != nullptr && last->failed == kNoRow && last->lost == kNoRow) last->closed = row_;
}

void Replay::add(const ConnectStarted& fact, Symbol who) {
  client(who);
  const SubchannelRow* const owner = find(fact.subchannel);
  connection_at_[fact.connection] = connections_.size();
  last_connection_[fact.subchannel] = connections_.size();
  connections_.push_back({.id = fact.connection,
                          .client = who,
                          .subchannel = place(subchannel_at_, fact.subchannel),
                          .address = owner != nullptr ? owner->address : Symbol::none,
                          .start = row_});
}

void Replay::add(const Connected& fact, Symbol) {
  if (ConnectionRow* const one = connection(fact.connection)) one->up = row_;
}

void Replay::add(const ConnectFailed& fact, Symbol) {
  if (ConnectionRow* const one = connection(fact.connection)) one->failed = row_;
}

void Replay::add(const ConnectionLost& fact, Symbol) {
  if (ConnectionRow* const one = connection(fact.connection)) {
    one->lost = row_;
    one->graceful = fact.graceful;
  }
}

void Replay::add(const FrameSeen& fact, Symbol) {
  frames_.push_back({row_, place(connection_at_, fact.connection), place(call_at_, fact.call)});
}

// --- The calls -----------------------------------------------------------------------------------

void Replay::add(const CallStarted& fact, Symbol who) {
  client(who);
  call_at_.erase(fact.call);
  call(fact.call, who).start = row_;
}

void Replay::add(const CallQueued& fact, Symbol who) {
  CallRow& one = call(fact.call, who);
  if (one.queued == kNoRow) one.queued = row_;
  one.waits = true;
}

void Replay::add(const Picked& fact, Symbol who) {
  CallRow& one = call(fact.call, who);
  one.picked = row_;
  one.waits = false;
  one.subchannel = place(subchannel_at_, fact.subchannel);
  one.connection = place(connection_at_, fact.connection);
}

void Replay::add(const CallUnsent& fact, Symbol who) {
  CallRow& one = call(fact.call, who);
  one.picked = kNoRow;
  one.subchannel = Place::none;
  one.connection = Place::none;
}

void Replay::add(const AttemptEnded& fact, Symbol who) {
  CallRow& one = call(fact.call, who);
  // Of several at once the row has the last.
  if (one.connection != place(connection_at_, fact.connection)) return;
  one.picked = kNoRow;
  one.subchannel = Place::none;
  one.connection = Place::none;
  one.waits = true;
}

void Replay::add(const CallEnded& fact, Symbol who) {
  CallRow& one = call(fact.call, who);
  one.end = row_;
  one.waits = false;
  one.code = fact.code;
  one.pod = fact.pod;
  ConnectionRow* const over = connection(fact.connection);
  if (over != nullptr && fact.pod != Symbol::none && over->answered == kNoRow) {
    over->answered = row_;
    over->pod = fact.pod;
  }
  ++client(who).ended;
}

}  // namespace greetlab
