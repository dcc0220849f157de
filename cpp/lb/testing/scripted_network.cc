#include "lb/testing/scripted_network.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "core/duration.h"
#include "lb/testing/bench_address.h"
#include "lb/watchers.h"

namespace greetlab {

namespace {

template <class Message>
using Listening = std::shared_ptr<Watchers<StreamWatcher<Message>>>;

template <class Message>
class ScriptedStream final : public Stream {
 public:
  ScriptedStream(Listening<Message> listening, StreamWatcher<Message>& watcher)
      : listening_(std::move(listening)), watcher_(watcher) {
    listening_->add(watcher_);
  }
  ~ScriptedStream() override { listening_->remove(watcher_); }

 private:
  const Listening<Message> listening_;
  StreamWatcher<Message>& watcher_;
};

}  // namespace

class ScriptedNetwork::ScriptedLink final : public Link {
 public:
  ScriptedLink(ScriptedNetwork& network, const Dial& dial, Watcher& watcher)
      : network_(network),
        dial_(dial),
        id_(network.trace_.next_connection()),
        watcher_(watcher),
        event_(network.trace_.emit(dial.who, dial.cause, [&] {
          return ConnectStarted{dial.subchannel, id_, dial.attempt};
        })) {
    network_.links_.push_back(this);
  }
  ~ScriptedLink() override { leave(); }

  ConnectionId id() const override { return id_; }
  const Address& address() const { return dial_.address; }
  bool connected() const { return connected_; }

  void send(SubchannelCall&, Sending) override {
    throw std::logic_error("the scripted network carries no calls");
  }

  std::unique_ptr<Stream> watch_health(const std::string& service,
                                       HealthWatcher& watcher) override {
    network_.streams_.push_back(bench_name(address()) + ": health of " + service);
    return std::make_unique<ScriptedStream<Health>>(health_, watcher);
  }
  std::unique_ptr<Stream> watch_load(Duration interval, LoadWatcher& watcher) override {
    network_.streams_.push_back(bench_name(address()) + ": load every " + to_text(interval));
    return std::make_unique<ScriptedStream<LoadReport>>(load_, watcher);
  }

  // What they say may be the end of us.
  void say(Health health) {
    const auto listening = heard(health_);
    listening->tell([&](HealthWatcher& one) { one.on_message(health, event_); });
  }
  void end_health(const Status& why) {
    const auto listening = heard(health_);
    listening->tell([&](HealthWatcher& one) { one.on_stream_end(why, event_); });
  }
  void say(const LoadReport& load) {
    const auto listening = heard(load_);
    listening->tell([&](LoadWatcher& one) { one.on_message(load, event_); });
  }

  void succeed() {
    connected_ = true;
    event_ = network_.trace_.emit(dial_.who, event_, [&] {
      return Connected{dial_.subchannel, id_, network_.trace_.symbol("bench")};
    });
    watcher_.on_connected(event_);
  }

  // The watcher may destroy us: nothing of ours after it has been told.
  void fail(const std::string& reason) {
    leave();
    const EventId failed = network_.trace_.emit(dial_.who, event_, [&] {
      return ConnectFailed{dial_.subchannel, id_, network_.trace_.symbol(reason)};
    });
    watcher_.on_connect_failed({Code::unavailable, reason}, failed);
  }

  void lose() {
    leave();
    const EventId lost = network_.trace_.emit(dial_.who, event_, [&] {
      return ConnectionLost{dial_.subchannel, id_, Graceful::unknown, Symbol::none};
    });
    watcher_.on_lost(lost);
  }

 private:
  void leave() { std::erase(network_.links_, this); }

  template <class Message>
  Listening<Message> heard(const Listening<Message>& listening) const {
    if (!listening->empty()) return listening;
    throw std::invalid_argument("nobody watches that of '" + bench_name(address()) + "'");
  }

  ScriptedNetwork& network_;
  const Dial dial_;
  const ConnectionId id_;
  Watcher& watcher_;
  EventId event_;
  bool connected_ = false;
  const Listening<Health> health_ = std::make_shared<Watchers<HealthWatcher>>();
  const Listening<LoadReport> load_ = std::make_shared<Watchers<LoadWatcher>>();
};

std::unique_ptr<Link> ScriptedNetwork::dial(const Dial& dial, Link::Watcher& watcher) {
  const std::chrono::duration<double> now = clock_.now().time_since_epoch();
  dials_.emplace_back(now.count(), bench_name(dial.address));
  return std::make_unique<ScriptedLink>(*this, dial, watcher);
}

void ScriptedNetwork::ready(const std::string& address) {
  find("ready", address, false).succeed();
}

void ScriptedNetwork::fail(const std::string& address, const std::string& reason) {
  find("fail", address, false).fail(reason);
}

void ScriptedNetwork::lose(const std::string& address) {
  find("lose", address, true).lose();
}

void ScriptedNetwork::health(const std::string& address, Health health) {
  find("health", address, true).say(health);
}

void ScriptedNetwork::end_health(const std::string& address, const Status& why) {
  find("end_health", address, true).end_health(why);
}

void ScriptedNetwork::load(const std::string& address, const LoadReport& load) {
  find("load", address, true).say(load);
}

std::vector<std::string> ScriptedNetwork::connecting() const {
  std::vector<std::string> names;
  for (const ScriptedLink* link : links_) {
    if (!link->connected()) names.push_back(bench_name(link->address()));
  }
  return names;
}

ScriptedNetwork::ScriptedLink& ScriptedNetwork::find(std::string_view act,
                                                     const std::string& address,
                                                     bool connected) const {
  const Address wanted = bench_address(address);
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
                              bench_names(there) + "]");
}

}  // namespace greetlab
