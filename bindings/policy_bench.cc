#include "policy_bench.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <variant>

#include "lb/policies/registry.h"
#include "trace/fact_text.h"

namespace greetlab {
namespace {

constexpr std::uint16_t kPortOfAName = 1;

Address address_of(const std::string& text) {
  if (text.find(':') != std::string::npos) return parse_address(text);
  if (text.empty()) throw std::invalid_argument("an address is ip:port or a short name, not ''");
  return {text, kPortOfAName};
}

std::string name_of(const Address& address) {
  return address.port == kPortOfAName && address.ip.find_first_of(".:") == std::string::npos
             ? address.ip
             : to_string(address);
}

std::string names_of(const std::vector<Address>& addresses) {
  std::string joined;
  for (const Address& address : addresses) {
    joined += (joined.empty() ? "" : ", ") + name_of(address);
  }
  return joined;
}

std::string text_of(const PolicyConfig& policy) {
  std::string text = policy.policy;
  for (const auto& [name, value] : policy.fields) text += " " + name + "=" + std::to_string(value);
  return policy.child ? text + " (" + text_of(*policy.child) + ")" : text;
}

std::string in_seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6fs", std::chrono::duration<double>(duration).count());
  return text;
}

}  // namespace

// An attempt, then a connection: it waits to be told.
class PolicyBench::ScriptedLink final : public Link {
 public:
  ScriptedLink(PolicyBench& bench, const Dial& dial, ConnectionId id, Watcher& watcher)
      : bench_(bench), dial_(dial), id_(id), watcher_(watcher) {
    event_ = bench_.trace_.emit(dial_.who, dial_.because, [&] {
      return ConnectStarted{dial_.subchannel, id_, dial_.attempt};
    });
    bench_.links_.push_back(this);
  }
  ~ScriptedLink() override { leave(); }

  ConnectionId id() const override { return id_; }
  const Address& address() const { return dial_.address; }
  bool connected() const { return connected_; }

  void send(CallId, Exchange&, Time, EventId, Done) override {
    throw std::logic_error("the bench makes no calls");
  }

  void succeed() {
    connected_ = true;
    event_ = bench_.trace_.emit(dial_.who, event_, [&] {
      return Connected{dial_.subchannel, id_, bench_.trace_.symbol("bench")};
    });
    watcher_.on_connected(event_);
  }

  // The watcher may destroy us: nothing of ours after it has been told.
  void fail(const std::string& reason) {
    leave();
    const EventId failed = bench_.trace_.emit(dial_.who, event_, [&] {
      return ConnectFailed{dial_.subchannel, id_, bench_.trace_.symbol(reason)};
    });
    watcher_.on_connect_failed({Code::unavailable, reason}, failed);
  }

  void lose() {
    leave();
    const EventId lost = bench_.trace_.emit(dial_.who, event_, [&] {
      return ConnectionLost{dial_.subchannel, id_, Graceful::unknown};
    });
    watcher_.on_lost(lost);
  }

 private:
  void leave() { std::erase(bench_.links_, this); }

  PolicyBench& bench_;
  const Dial dial_;
  const ConnectionId id_;
  Watcher& watcher_;
  EventId event_;
  bool connected_ = false;
};

PolicyBench::PolicyBench(const PolicyConfig& policy, std::uint64_t seed)
    : trace_(clock_),
      recording_(std::size_t{1} << 17),
      rng_(seed),
      who_(trace_.symbol("client")),
      picker_(std::make_unique<QueuePicker>()),
      policy_(make_policy(complete(policy), *this, clock_)) {
  trace_.listen(&recording_);
  note("PolicyBench(" + text_of(policy) + ", seed=" + std::to_string(seed) + ")");
}

PolicyBench::~PolicyBench() = default;

// --- What is done to it --------------------------------------------------------------------------

bool PolicyBench::update(const std::vector<std::string>& addresses, const std::string& error) {
  Resolution update;
  if (!error.empty()) update.status = {Code::unavailable, error};
  for (const std::string& address : addresses) update.addresses.push_back(address_of(address));
  note("update([" + names_of(update.addresses) + "]" + (error.empty() ? "" : ", '" + error + "'") +
       ")");
  const EventId answer = trace_.emit(who_, EventId::none, [&] {
    return LookupEnded{trace_.symbol("bench"), trace_.symbol(error.empty() ? "ok" : error),
                       trace_.symbol(names_of(update.addresses)),
                       static_cast<std::uint32_t>(update.addresses.size())};
  });
  const std::size_t step = steps_.size() - 1;
  const bool accepted = policy_->update(update, answer);
  steps_[step] += accepted ? " -> accepted" : " -> rejected";
  return accepted;
}

void PolicyBench::ready(const std::string& address) {
  ScriptedLink& link = find("ready", address, false);
  note("ready(" + address + ")");
  link.succeed();
}

void PolicyBench::fail(const std::string& address, const std::string& reason) {
  ScriptedLink& link = find("fail", address, false);
  note("fail(" + address + ", '" + reason + "')");
  link.fail(reason);
}

void PolicyBench::lose(const std::string& address) {
  ScriptedLink& link = find("lose", address, true);
  note("lose(" + address + ")");
  link.lose();
}

void PolicyBench::run(Duration duration) {
  note("run(" + in_seconds(duration) + ")");
  clock_.run_until(clock_.now() + duration);
}

bool PolicyBench::step() {
  const bool stepped = clock_.step();
  note("step()");
  return stepped;
}

void PolicyBench::exit_idle() {
  note("exit_idle()");
  const CallId call = trace_.next_call();
  policy_->exit_idle(trace_.emit(who_, EventId::none, [&] { return CallStarted{call, false}; }));
}

std::vector<std::string> PolicyBench::picks(std::size_t count) {
  std::vector<std::string> picks;
  for (std::size_t i = 0; i < count; ++i) {
    const Pick pick = picker_->pick({trace_.next_call()});
    if (const auto* to = std::get_if<PickTo>(&pick)) {
      picks.push_back(name_of(to->subchannel->address()));
      if (to->tracker) in_flight_[picks.back()].push_back(to->tracker);
    } else if (const auto* fail = std::get_if<PickFail>(&pick)) {
      picks.push_back("fail: " + fail->status.message);
    } else if (const auto* drop = std::get_if<PickDrop>(&pick)) {
      picks.push_back("drop: " + drop->status.message);
    } else {
      picks.emplace_back("wait");
    }
  }
  std::string shown;  // "a b c a", and "wait x 60" for one and the same
  if (count > 1 && std::ranges::adjacent_find(picks, std::ranges::not_equal_to{}) == picks.end()) {
    shown = " " + picks.front() + " x " + std::to_string(count);
  } else {
    constexpr std::size_t kShown = 12;
    for (std::size_t i = 0; i < std::min(count, kShown); ++i) shown += " " + picks[i];
    if (count > kShown) shown += " ...";
  }
  note("picks(" + std::to_string(count) + ") ->" + shown);
  return picks;
}

void PolicyBench::done(const std::string& address) {
  auto& calls = in_flight_[name_of(address_of(address))];
  if (calls.empty()) {
    throw std::invalid_argument("done('" + address +
                                "'): no call that was picked for it is tracked");
  }
  note("done(" + address + ")");
  calls.front()->on_done({});
  calls.erase(calls.begin());
}

PolicyBench::ScriptedLink& PolicyBench::find(std::string_view act, const std::string& address,
                                             bool connected) {
  const Address wanted = address_of(address);
  const auto found = std::ranges::find_if(links_, [&](const ScriptedLink* link) {
    return link->address() == wanted && link->connected() == connected;
  });
  if (found != links_.end()) return **found;
  std::vector<Address> there;
  for (const ScriptedLink* link : links_) {
    if (link->connected() == connected) there.push_back(link->address());
  }
  throw std::invalid_argument(std::string(act) + "('" + address + "'): it is not " +
                              (connected ? "connected" : "being dialled") + "; these are: [" +
                              names_of(there) + "]");
}

void PolicyBench::note(std::string step) {
  steps_.push_back(in_seconds(clock_.now().time_since_epoch()) + " " + std::move(step));
}

// --- What it does --------------------------------------------------------------------------------

std::shared_ptr<Subchannel> PolicyBench::subchannel(const Address& address, EventId because) {
  std::weak_ptr<Subchannel>& pooled = pool_[address];
  if (auto existing = pooled.lock()) return existing;
  subchannel_names_.push_back(name_of(address));
  const SubchannelId id = trace_.next_subchannel();
  auto made = std::make_shared<Subchannel>(
      Subchannel::World{clock_, static_cast<Connector&>(*this), rng_, trace_, who_}, id, address,
      because);
  pooled = made;
  return made;
}

void PolicyBench::publish(ConnectivityState state, std::unique_ptr<Picker> picker,
                          const Status& why, EventId because) {
  if (state != state_) {
    trace_.emit(who_, because,
                [&] { return ChannelStateChanged{state_, state, trace_.symbol(why.message)}; });
  }
  state_ = state;
  failure_ = why.message;
  picker_ = std::move(picker);
  ++pickers_;
  trace_.emit(who_, because, [&] {
    return PickerPublished{trace_.symbol(picker_->name()), picker_->ready(), picker_->start()};
  });
}

void PolicyBench::request_reresolution(EventId because) {
  ++reresolutions_;
  trace_.emit(who_, because, [] { return ReresolutionRequested{}; });
}

std::unique_ptr<Link> PolicyBench::dial(const Dial& dial, Link::Watcher& watcher) {
  dials_.emplace_back(now(), name_of(dial.address));
  const ConnectionId id = trace_.next_connection();
  return std::make_unique<ScriptedLink>(*this, dial, id, watcher);
}

// --- What can be seen of it ----------------------------------------------------------------------

double PolicyBench::now() const {
  return std::chrono::duration<double>(clock_.now().time_since_epoch()).count();
}

std::vector<std::string> PolicyBench::connecting() const {
  std::vector<std::string> names;
  for (const ScriptedLink* link : links_) {
    if (!link->connected()) names.push_back(name_of(link->address()));
  }
  return names;
}

std::map<std::string, std::string> PolicyBench::subchannels() const {
  std::map<std::string, std::string> states;
  for (const auto& [address, pooled] : pool_) {
    if (const auto alive = pooled.lock()) {
      states.emplace(name_of(address), greetlab::to_string(alive->state()));
    }
  }
  return states;
}

std::string PolicyBench::script() const {
  std::string script;
  for (const std::string& step : steps_) script += step + "\n";
  return script;
}

std::vector<std::string> PolicyBench::trace_lines() const {
  std::vector<std::string> lines;
  for (const Event& event : recording_.events()) lines.push_back(text(event));
  return lines;
}

std::string PolicyBench::text(const Event& event) const {
  const Symbols& symbols = trace_.symbols();
  const auto value_text = [&]<class Value>(const Value& value) -> std::string {
    if constexpr (std::is_same_v<Value, Symbol>) {
      const std::string& word = symbols.word(value);
      return word.find(' ') == std::string::npos ? word : "'" + word + "'";
    } else if constexpr (std::is_same_v<Value, SubchannelId>) {
      return subchannel_names_.at(static_cast<std::size_t>(value) - 1);
    } else if constexpr (std::is_same_v<Value, Time>) {
      return in_seconds(value.time_since_epoch());
    } else if constexpr (std::is_same_v<Value, Duration>) {
      return in_seconds(value);
    } else if constexpr (std::is_same_v<Value, ConnectivityState> || std::is_same_v<Value, Code>) {
      return std::string(greetlab::to_string(value));
    } else if constexpr (std::is_same_v<Value, Graceful>) {
      return std::string(to_string(value));
    } else {  // a number, or the number of something
      return std::to_string(static_cast<std::uint32_t>(value));
    }
  };
  std::string line = "#" + std::to_string(static_cast<std::uint32_t>(event.id)) + " " +
                     in_seconds(event.at.time_since_epoch()) + " " + symbols.word(event.who);
  std::visit(
      [&](const auto& fact) {
        using Kind = std::remove_cvref_t<decltype(fact)>;
        line += " " + std::string(Kind::kName);
        std::apply(
            [&](const auto&... field) {
              ((line += " " + std::string(field.name) + "=" + value_text(fact.*field.member)), ...);
            },
            Kind::fields());
      },
      event.fact);
  if (event.cause != EventId::none) {
    line += " <- #" + std::to_string(static_cast<std::uint32_t>(event.cause));
  }
  return line;
}

}  // namespace greetlab
