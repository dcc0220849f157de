#include "live/lab_channel.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "dns/resolver.h"
#include "lb/channel.h"
#include "lb/polling_resolver.h"
#include "lb/static_resolver.h"
#include "lb/subchannel.h"
#include "live/answer.h"
#include "live/connector.h"
#include "live/gate.h"
#include "live/greet_exchange.h"
#include "live/loop.h"
#include "live/name_lookup.h"
#include "live/own_process.h"
#include "live/sockets.h"
#include "rpc/mutex_checks.h"

namespace greetlab {
namespace {

ResolverConfig resolver_config(const Target& target) {
  ResolverConfig config = system_resolver_config();
  if (target.server) config.servers = {*target.server};
  return config;
}

greet::GreetingRequest request_of(const GreetLoad& load) {
  greet::GreetingRequest request;
  request.mutable_greeting()->set_first_name(load.first_name);
  request.mutable_greeting()->set_last_name(load.last_name);
  return request;
}

}  // namespace

class LabChannel::Impl {
 public:
  explicit Impl(LabChannelOptions options)
      : options_(checked(std::move(options))),
        trace_(loop_),
        sockets_(std::in_place, loop_, options_.source_ip),
        connector_(loop_, *sockets_, trace_, options_.target.authority),
        rng_(options_.seed) {
    if (options_.target.kind != Target::Kind::addresses) {
      resolver_.emplace(resolver_config(options_.target));
    }
    if (options_.listener != nullptr) {
      trace_.listen(options_.listener);
    } else if (options_.trace_capacity > 0) {
      recording_.emplace(options_.trace_capacity);
      trace_.listen(&*recording_);
    }
    channel_ = &open_channel(options_.name);
  }

  ~Impl() { close(); }

  /// Not a copy in a child of os.fork.
  bool is_ours() const { return getpid() == pid_; }

  CallLog run(const GreetLoad& load, const Interrupted& interrupted) {
    if (!enter()) return cancelled(load);
    const greet::GreetingRequest request = request_of(load);
    CallLog log = load.make_log();
    std::shared_ptr<Load> calls;
    bool began = false;
    // Calls are made and unmade on the loop: threads that free what another one has allocated wait
    // for one another.
    const auto over = [&] {
      if (calls != nullptr && calls->done()) {
        log = calls->take_log();
        calls = nullptr;
      }
      return calls == nullptr;
    };
    const bool finished = loop_.run(
        [&] {
          if (channel_ == nullptr) return;  // closed meanwhile
          began = true;
          calls = Load::start(std::make_unique<World>(*this, request), *channel_, load.config,
                              std::move(log));
        },
        over, interrupted);
    if (!finished) {
      loop_.run(
          [&] {
            if (calls) calls->cancel();
          },
          over, [] { return false; });
    }
    if (!began) log = cancelled(load);
    leave();
    return log;
  }

  void greet(greet::GreetingRequest request, Duration timeout, GreetDone done) {
    if (!enter()) return done({Code::cancelled, "the channel is closed"}, {});
    loop_.post([this, call = std::make_shared<OneCall>(std::move(request), std::move(done)),
                deadline = loop_.now() + timeout] {
      if (channel_ == nullptr) {  // closed meanwhile
        return call->done({Code::cancelled, "the channel is closed"}, {});
      }
      channel_->call(call->exchange, {false, deadline}, [call](const CallResult& result) {
        call->done(result.status, call->exchange.response());
      });
    });
    leave();
  }

  WaitResult wait_ready(bool all, Duration timeout, const Interrupted& interrupted) {
    return wait_until([this, all] { return ready(all); }, timeout, interrupted);
  }

  WaitResult wait_for_pods(std::size_t pods, Duration timeout, const Interrupted& interrupted) {
    if (!enter()) return WaitResult::closed;
    Timer again;
    loop_.run([&] { look_again(again, pods); });
    const WaitResult result =
        wait_until([this, pods] { return ready_pods() >= pods; }, timeout, interrupted);
    loop_.run([&] { again.cancel(); });
    leave();
    return result;
  }

  ConnectivityState state(bool connect) {
    ConnectivityState state = ConnectivityState::shutdown;
    look([&] {
      if (connect && channel_->state() == ConnectivityState::idle) channel_->connect();
      state = channel_->state();
    });
    return state;
  }

  std::vector<SubchannelView> subchannels() {
    std::vector<SubchannelView> shown;
    look([&] {
      for (const auto& subchannel : channel_->subchannels()) {
        SubchannelView& one = shown.emplace_back();
        one.address = to_string(subchannel->address());
        one.state = to_string(subchannel->state());
        if (const Link* link = subchannel->connection()) {
          one.local_addresses.push_back(LiveConnector::local_address(*link));
        }
      }
    });
    return shown;
  }

  void tell_pod_changed(std::string pod, Address address, std::string change, bool ends) {
    loop_.post([this, pod = std::move(pod), address = std::move(address),
                change = std::move(change), ends] {
      const Symbol who = trace_.symbol(pod);
      const EventId event = trace_.emit(trace_.symbol("cluster"), EventId::none, [&] {
        return PodChanged{who, trace_.symbol(change), trace_.symbol(to_string(address))};
      });
      if (ends) connector_.pod_ends(who, address.ip, event);
    });
  }

  void tell_endpoints_changed(std::string service, std::vector<Address> addresses) {
    loop_.post([this, service = std::move(service), addresses = std::move(addresses)] {
      trace_.emit(trace_.symbol("cluster"), EventId::none, [&] {
        return EndpointsChanged{trace_.symbol(service), trace_.symbol(to_string(addresses)),
                                static_cast<std::uint32_t>(addresses.size())};
      });
    });
  }

  void flush() {
    look([] {});
  }

  const Trace& trace() const { return trace_; }
  std::span<const Event> events() const {
    return recording_ ? recording_->events() : std::span<const Event>{};
  }
  std::uint64_t dropped() const { return recording_ ? recording_->dropped() : 0; }

  void close() {
    if (!is_ours()) return;  // a child of os.fork: the threads are its parent's
    if (enter()) {
      gate_.close();
      // Ends every load and every wait with it.
      loop_.run([this] {
        channel_ = nullptr;
        channels_.clear();
      });
      leave();
    }
    if (gate_.wait_until_empty()) take_down();
  }

 private:
  // One load in this world. The request is here for as long as calls are in flight.
  class World final : public LoadWorld {
   public:
    World(Impl& impl, greet::GreetingRequest request) : impl_(impl), request_(std::move(request)) {}

    Clock& clock() override { return impl_.loop_; }
    std::unique_ptr<Exchange> make_exchange() override {
      return std::make_unique<GreetExchange>(request_);
    }
    void answered(CallLog& log, std::size_t row, const CallResult& result,
                  const Exchange& exchange) override {
      log_answer(log, row, impl_.loop_.now().time_since_epoch().count(),
                 static_cast<const GreetExchange&>(exchange).response(),
                 [&](std::int32_t pod, std::string_view peer) {
                   const auto connection = static_cast<std::uint32_t>(result.connection);
                   return connections_.row(log, connection, pod, peer);
                 });
    }
    Channel* open_channel() override {
      if (!impl_.options_.connection_per_call) return nullptr;
      return &impl_.open_channel(name_of_next(impl_.options_.name, impl_.dialled_anew_));
    }
    void close_channel(Channel& channel) override {
      impl_.channels_.remove_if([&](const Channel& one) { return &one == &channel; });
    }

   private:
    Impl& impl_;
    const greet::GreetingRequest request_;
    ConnectionRows connections_;
  };

  // One that nobody waits for.
  struct OneCall {
    OneCall(greet::GreetingRequest what, GreetDone then)
        : request(std::move(what)), exchange(request), done(std::move(then)) {}

    const greet::GreetingRequest request;
    GreetExchange exchange;
    const GreetDone done;
  };

  // On the loop, or before anybody else knows us.
  Channel& open_channel(std::string name) {
    return channels_.emplace_back(
        Channel::World{loop_, connector_, trace_},
        ChannelConfig{options_.policy, std::move(name), rng_.next()},
        [this](Rng& rng, Symbol who) -> std::unique_ptr<Resolver> {
          if (!resolver_) {
            return std::make_unique<StaticResolver>(loop_, options_.target.addresses);
          }
          return std::make_unique<PollingResolver>(
              PollingResolver::World{loop_, rng, trace_, who},
              std::make_unique<LiveNameLookup>(loop_, *resolver_, trace_, who, options_.target),
              options_.cooldown);
        });
  }

  template <class Enough>
  WaitResult wait_until(const Enough& enough, Duration timeout, const Interrupted& interrupted) {
    if (!enter()) return WaitResult::closed;
    WaitResult result = WaitResult::interrupted;
    bool over = false;
    Timer patience;
    const auto end = [&](WaitResult how) {
      result = how;
      return over = true;
    };
    loop_.run(
        [&] {
          if (channel_ == nullptr) return;
          patience = loop_.at(loop_.now() + timeout, [&] { end(WaitResult::timeout); });
          channel_->connect();
        },
        [&] {
          if (over) return true;
          if (channel_ == nullptr) return end(WaitResult::closed);
          // READY and lost again before anybody looked: pick_first waits for somebody to call.
          if (channel_->state() == ConnectivityState::idle) channel_->connect();
          return enough() && end(WaitResult::ready);
        },
        interrupted);
    loop_.run([&] { patience.cancel(); });
    leave();
    return result;
  }

  // Every second until `pods` subchannels are READY; the resolver puts off what comes too soon.
  void look_again(Timer& timer, std::size_t pods) {
    timer = loop_.at(loop_.now() + std::chrono::seconds(1), [this, &timer, pods] {
      if (channel_ == nullptr) return;
      if (ready_pods() < pods) channel_->look_again();
      look_again(timer, pods);
    });
  }

  std::size_t ready_pods() const {
    return static_cast<std::size_t>(
        std::ranges::count(channel_->subchannels(), ConnectivityState::ready, &Subchannel::state));
  }

  bool ready(bool all) const {
    if (channel_->state() != ConnectivityState::ready) return false;
    if (!all) return true;
    for (const auto& subchannel : channel_->subchannels()) {
      if (subchannel->state() != ConnectivityState::ready) return false;
    }
    return true;
  }

  template <class Task>
  void look(const Task& task) {
    if (!enter()) return;
    loop_.run([&] {
      if (channel_ != nullptr) task();
    });
    leave();
  }

  bool enter() {
    require_own_process();
    return gate_.enter();
  }
  void leave() {
    if (gate_.leave()) take_down();
  }

  // Nobody is inside, and nobody will be. Whoever comes first does it.
  void take_down() {
    const std::lock_guard lock(down_mutex_);
    if (!sockets_) return;
    loop_.run([] {});  // what was posted last hears that we are closed
    resolver_.reset();
    loop_.stop();
    sockets_.reset();
  }

  // Before the loop is made, which is gRPC's.
  static LabChannelOptions checked(LabChannelOptions options) {
    require_own_process();
    skip_mutex_checks();
    return options;
  }

  static CallLog cancelled(const GreetLoad& load) {
    CallLog log = load.make_log();
    const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
    for (std::size_t row = 0; row < log.size(); ++row) {
      log.started(row, now);
      log.failed(row, now, static_cast<int>(Code::cancelled),
                 "not started: the channel was closed");
    }
    return log;
  }

  const LabChannelOptions options_;
  const pid_t pid_ = getpid();
  Gate gate_;
  std::mutex down_mutex_;

  Loop loop_;  // what follows lives on it
  Trace trace_;
  std::optional<Recording> recording_;
  std::optional<Sockets> sockets_;
  LiveConnector connector_;
  std::optional<DnsResolver> resolver_;
  Rng rng_;
  std::list<Channel> channels_;
  Channel* channel_ = nullptr;      // the first of them; nullptr once closed
  std::uint32_t dialled_anew_ = 0;  // the others, ever
};

LabChannel::LabChannel(LabChannelOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

LabChannel::~LabChannel() {
  // A child of os.fork has none of the threads that all this waits for: it is left as it is.
  if (!impl_->is_ours()) impl_.release();
}

CallLog LabChannel::run(const GreetLoad& load, const Interrupted& interrupted) {
  return impl_->run(load, interrupted);
}

WaitResult LabChannel::wait_ready(bool all, Duration timeout, const Interrupted& interrupted) {
  return impl_->wait_ready(all, timeout, interrupted);
}

void LabChannel::greet(greet::GreetingRequest request, Duration timeout, GreetDone done) {
  impl_->greet(std::move(request), timeout, std::move(done));
}

WaitResult LabChannel::wait_for_pods(std::size_t pods, Duration timeout,
                                     const Interrupted& interrupted) {
  return impl_->wait_for_pods(pods, timeout, interrupted);
}

ConnectivityState LabChannel::state(bool connect) {
  return impl_->state(connect);
}

std::vector<SubchannelView> LabChannel::subchannels() {
  return impl_->subchannels();
}

const Trace& LabChannel::trace() const {
  return impl_->trace();
}

std::span<const Event> LabChannel::events() const {
  return impl_->events();
}

std::uint64_t LabChannel::dropped() const {
  return impl_->dropped();
}

void LabChannel::tell_pod_changed(std::string pod, Address address, std::string change, bool ends) {
  impl_->tell_pod_changed(std::move(pod), std::move(address), std::move(change), ends);
}

void LabChannel::tell_endpoints_changed(std::string service, std::vector<Address> addresses) {
  impl_->tell_endpoints_changed(std::move(service), std::move(addresses));
}

void LabChannel::flush() {
  impl_->flush();
}

void LabChannel::close() {
  impl_->close();
}

}  // namespace greetlab
