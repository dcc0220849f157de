#include "live/lab_channel.h"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "channel/answer.h"
#include "channel/credentials.h"
#include "channel/gate.h"
#include "channel/own_process.h"
#include "lb/channel.h"
#include "lb/endpoint_feed.h"
#include "lb/subchannel.h"
#include "live/connector.h"
#include "live/greet_call.h"
#include "live/live_subchannel_call.h"
#include "live/loop.h"
#include "live/method_call.h"
#include "live/resolvers.h"
#include "live/tls.h"

namespace greetlab {
namespace {

std::string authority_of(const Target& target, const ChannelOptions& options) {
  return options.tls.server_name.empty() ? target.authority : options.tls.server_name;
}

std::unique_ptr<const TlsClient> tls_of(const Target& target, const ChannelOptions& options) {
  const Credentials credentials = read_credentials(options.tls);
  if (!options.tls.on) return nullptr;
  const std::string& told = options.tls.server_name;
  return std::make_unique<TlsClient>(credentials, told.empty() ? name_to_verify(target) : told);
}

std::uint64_t any_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

greet::GreetingRequest request_of(const GreetLoad& load) {
  greet::GreetingRequest request;
  request.mutable_greeting()->set_first_name(load.first_name);
  request.mutable_greeting()->set_last_name(load.last_name);
  return request;
}

/// Each change of a service with 5,000 endpoints is told with all of their addresses, 100 kB: in a
/// long trace it is the words, and not the events, that would have no end.
constexpr std::size_t kRecordedWords = 256 * 1024 * 1024;

class LabChannel final : public GreetChannel {
 public:
  explicit LabChannel(ChannelOptions options)
      : options_(checked(std::move(options))),
        target_(parse_target(options_.target)),
        trace_(loop_),
        connector_(loop_, trace_, authority_of(target_, options_), tls_of(target_, options_),
                   options_.source_ip, options_.frames),
        rng_(options_.seed ? *options_.seed : any_seed()) {
    resolvers_ = make_resolver_factory(target_, {loop_, trace_, feed_, options_.cooldown,
                                                 options_.dns_service_config, options_.kubeconfig});
    if (options_.listener != nullptr) {
      trace_.keep_words(kListenedWords);
      trace_.listen(options_.listener);
    } else if (options_.trace_capacity > 0) {
      trace_.keep_words(kRecordedWords);
      recording_.emplace(options_.trace_capacity);
      trace_.listen(&*recording_);
    }
    channel_ = &open_channel(options_.name);
  }

  ~LabChannel() override { close(); }

  CallLog run(const GreetLoad& load, const Interrupted& interrupted) override {
    CallLog log = load.make_log();  // before we are in: there may be no memory for it
    if (!enter()) return cancelled_log(load);
    const greet::GreetingRequest request = request_of(load);
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
          calls = Load::start(std::make_unique<Driver>(*this, request), *channel_, load.config,
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
    if (!began) log = cancelled_log(load);
    leave();
    return log;
  }

  Cancel greet(greet::GreetingRequest request, Duration timeout, GreetDone done) override {
    if (!enter()) {
      done({Code::cancelled, "the channel is closed"}, {});
      return [] {};
    }
    const auto call = std::make_shared<OneCall>(std::move(request), std::move(done));
    loop_.post([this, call, deadline = loop_.now() + timeout] {
      if (channel_ == nullptr) {  // closed meanwhile
        return call->done({Code::cancelled, "the channel is closed"}, {});
      }
      const auto ended = [call](const CallResult& result) {
        const auto* const answered =
            static_cast<const SubchannelCallOf<GreetCall>*>(result.answered);
        call->done(result.status,
                   answered != nullptr ? answered->ended().response() : greet::GreetingResponse());
      };
      call->id = channel_->call(call->subchannel_call, {false, deadline, kGreetMethod}, ended);
    });
    leave();
    return [this, it = std::weak_ptr(call)] {
      if (!enter()) return;
      loop_.post([this, it] {
        const auto call = it.lock();
        if (call != nullptr && channel_ != nullptr) channel_->cancel(call->id);
      });
      leave();
    };
  }

  MethodAnswer call(MethodRequest request, const Interrupted& interrupted) override {
    const auto call = std::make_shared<OneMethod>(sendable(std::move(request)));
    if (!enter()) return {{Code::cancelled, "the channel is closed"}, {}, {}, {}};
    std::optional<CallId> id;
    const auto over = [&] { return call->status.has_value(); };
    const bool finished = loop_.run(
        [&] {
          if (channel_ == nullptr) {  // closed meanwhile
            call->status = {Code::cancelled, "the channel is closed"};
            return;
          }
          const MethodRequest& what = call->request;
          id = channel_->call(
              call->subchannel_call,
              {what.wait_for_ready, loop_.now() + what.timeout, what.path, &what.metadata},
              [call](const CallResult& result) {
                const auto* const answered =
                    static_cast<const SubchannelCallOf<MethodCall>*>(result.answered);
                if (answered != nullptr) call->answer = answered->ended().answer();
                call->status = result.status;
              });
        },
        over, interrupted);
    if (!finished) {
      loop_.run(
          [&] {
            if (!id) call->status = {Code::cancelled, "not started: cancelled"};
            if (id && channel_ != nullptr) channel_->cancel(*id);
          },
          over, [] { return false; });
    }
    MethodAnswer answer = std::move(call->answer);
    answer.status = *call->status;
    leave();
    return answer;
  }

  WaitResult wait_ready(bool all, Duration timeout, const Interrupted& interrupted) override {
    return wait_until([this, all] { return ready(all); }, timeout, interrupted);
  }

  WaitResult wait_for_pods(std::size_t pods, Duration timeout,
                           const Interrupted& interrupted) override {
    if (!enter()) return WaitResult::closed;
    Timer again;
    loop_.run([&] { look_again(again, pods); });
    const WaitResult result =
        wait_until([this, pods] { return ready_pods() >= pods; }, timeout, interrupted);
    loop_.run([&] { again.cancel(); });
    leave();
    return result;
  }

  ConnectivityState state(bool connect) override {
    ConnectivityState state = ConnectivityState::shutdown;
    look([&] {
      if (connect && channel_->state() == ConnectivityState::idle) channel_->connect();
      state = channel_->state();
    });
    return state;
  }

  std::vector<SubchannelView> subchannels() override {
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

  void tell_pod_changed(std::string pod, std::vector<Address> addresses, std::string change,
                        bool ends) override {
    loop_.post([this, pod = std::move(pod), addresses = std::move(addresses),
                change = std::move(change), ends] {
      const Symbol who = trace_.symbol(pod);
      const EventId event = trace_.emit(trace_.symbol("cluster"), EventId::none, [&] {
        return PodChanged{who, trace_.symbol(change), trace_.symbol(to_string(addresses))};
      });
      for (const Address& one : addresses) {
        if (ends) connector_.pod_ends(who, one.ip, event);
      }
    });
  }

  void tell_endpoints_changed(std::string service, std::vector<SliceEndpoint> endpoints,
                              Duration lag) override {
    loop_.post([this, service = std::move(service), endpoints = std::move(endpoints), lag] {
      const EventId changed = trace_.emit(trace_.symbol("cluster"), EventId::none, [&] {
        std::vector<Address> listed;
        for (const SliceEndpoint& one : endpoints) {
          if (one.ready) listed.insert(listed.end(), one.addresses.begin(), one.addresses.end());
        }
        return EndpointsChanged{trace_.symbol(service), trace_.symbol(to_string(listed)),
                                static_cast<std::uint32_t>(listed.size())};
      });
      feed_lag_ = lag;
      told_endpoints_[service] = endpoints;
      feed_.changed(service, changed);
    });
  }

  void tell_xds(const XdsSaid& said) override {
    loop_.post([this, said] {
      const EventId event = trace_.emit(trace_.symbol(actor(said)), xds_causes_.of(said), [&] {
        return fact_of(said, [&](const std::string& word) { return trace_.symbol(word); });
      });
      xds_causes_.happened(said, event);
    });
  }

  void tell_proxy(const ProxySaid& said) override {
    loop_.post([this, said] {
      trace_.emit(trace_.symbol(said.proxy), EventId::none, [&] {
        return fact_of(said, [&](const std::string& word) { return trace_.symbol(word); });
      });
    });
  }

  void flush() override {
    look([] {});
  }

  const Symbols& symbols() const override { return trace_.symbols(); }
  std::span<const Event> events() const override {
    return recording_ ? recording_->events() : std::span<const Event>{};
  }
  std::uint64_t dropped() const override { return recording_ ? recording_->dropped() : 0; }

  void close() override {
    if (in_forked_child()) return;  // the threads are its parent's
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
  class Driver final : public LoadDriver {
   public:
    Driver(LabChannel& owner, greet::GreetingRequest request)
        : owner_(owner), request_(std::move(request)) {}

    Clock& clock() override { return owner_.loop_; }
    std::unique_ptr<SubchannelCall> make_subchannel_call(const Metadata& metadata) override {
      return std::make_unique<SubchannelCallOf<GreetCall>>(GreetCall::Request{request_, metadata});
    }
    void answered(CallLog& log, std::size_t row, const CallResult& result,
                  const SubchannelCall& subchannel_call) override {
      log_answer(
          log, row, owner_.loop_.now().time_since_epoch().count(),
          static_cast<const SubchannelCallOf<GreetCall>&>(subchannel_call).ended().response(),
          [&](std::int32_t pod, std::string_view peer) {
            const auto connection = static_cast<std::uint32_t>(result.connection);
            return connections_.row(log, connection, pod, peer);
          });
    }
    Channel* open_channel() override {
      if (!owner_.options_.connection_per_call) return nullptr;
      return &owner_.open_channel(name_of_next(owner_.options_.name, owner_.dialled_anew_));
    }
    void close_channel(Channel& channel) override {
      owner_.channels_.remove_if([&](const Channel& one) { return &one == &channel; });
    }

   private:
    LabChannel& owner_;
    const greet::GreetingRequest request_;
    ConnectionRows connections_;
  };

  // One that nobody waits for.
  struct OneCall {
    OneCall(greet::GreetingRequest what, GreetDone then)
        : request(std::move(what)), subchannel_call({request, metadata}), done(std::move(then)) {}

    const greet::GreetingRequest request;
    const Metadata metadata{};
    SubchannelCallOf<GreetCall> subchannel_call;
    const GreetDone done;
    CallId id{};
  };

  struct OneMethod {
    explicit OneMethod(MethodRequest what) : request(std::move(what)), subchannel_call(request) {}

    const MethodRequest request;
    SubchannelCallOf<MethodCall> subchannel_call;
    MethodAnswer answer;
    std::optional<Status> status;  // once it has ended
  };

  // On the loop, or before anybody else knows us.
  Channel& open_channel(std::string name) {
    return channels_.emplace_back(
        Channel::Ports{loop_, connector_, trace_},
        ChannelConfig{options_.policy, options_.service_config, std::move(name), rng_.next(),
                      options_.keepalive, options_.idle_timeout},
        [this](Rng& rng, Symbol who) { return resolvers_->make(rng, who); });
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
    if (std::exchange(down_, true)) return;
    loop_.run([this] { resolvers_.reset(); });  // what was posted last has heard that we are closed
    loop_.stop();
  }

  std::optional<std::vector<SliceEndpoint>> endpoints_of(const std::string& service) const {
    const auto found = told_endpoints_.find(service);
    if (found == told_endpoints_.end()) return std::nullopt;
    return found->second;
  }

  // Before the loop is made, which has a thread.
  static ChannelOptions checked(ChannelOptions options) {
    require_own_process();
    return options;
  }

  const ChannelOptions options_;
  const Target target_;
  Gate gate_;
  std::mutex down_mutex_;
  bool down_ = false;

  Loop loop_;  // what follows lives on it
  Trace trace_;
  std::optional<Recording> recording_;
  LiveConnector connector_;
  Duration feed_lag_{};
  XdsCauses xds_causes_;
  std::map<std::string, std::vector<SliceEndpoint>> told_endpoints_;  // by a cluster, of services
  EndpointFeed feed_{loop_, [this](const std::string& service) { return endpoints_of(service); },
                     [this] { return feed_lag_; }};
  std::unique_ptr<ResolverFactory> resolvers_;
  Rng rng_;
  std::list<Channel> channels_;
  Channel* channel_ = nullptr;      // the first of them; nullptr once closed
  std::uint32_t dialled_anew_ = 0;  // the others, ever
};

}  // namespace

std::unique_ptr<GreetChannel> open_lab_channel(ChannelOptions options) {
  return std::make_unique<LabChannel>(std::move(options));
}

}  // namespace greetlab
