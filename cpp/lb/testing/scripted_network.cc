#include "lb/testing/scripted_network.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "lb/testing/bench_address.h"

namespace greetlab {

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

  ScriptedNetwork& network_;
  const Dial dial_;
  const ConnectionId id_;
  Watcher& watcher_;
  EventId event_;
  bool connected_ = false;
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
