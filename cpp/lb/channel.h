// What an application holds: resolver, policy and subchannels as one, and the calls through them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "core/rng.h"
#include "lb/connector.h"
#include "lb/policy.h"
#include "lb/resolver.h"
#include "lb/retry.h"
#include "lb/service_config.h"
#include "lb/subchannel_pool.h"
#include "trace/trace.h"

namespace greetlab {

struct ChannelConfig {
  PolicyConfig policy;
  /// Where the resolver brings none; its policy, if it has one, stands before `policy`. nullptr:
  /// none.
  std::shared_ptr<const ServiceConfig> service_config = nullptr;
  /// Its name in the trace: "client-1".
  std::string name = "client";
  std::uint64_t seed = 0;
  KeepaliveConfig keepalive;
  /// After so long without a call it is IDLE. 0: never.
  Duration idle_timeout{};
};

/// What a channel is called that is there for one call only: "client-1.7", so that a reader sees
/// whose it is, and no two share a name.
/// @param made how many `owner` has had; counts this one.
std::string name_of_next(const std::string& owner, std::uint32_t& made);

struct CallOptions {
  /// Waits for a connection where others fail.
  bool wait_for_ready = false;
  Time deadline = kNever;
  /// "/greet.GreetService/Greet": which methodConfig of the service config holds. It stays until
  /// the call has ended.
  std::string_view method = {};
  /// What pickers may go by; the world sends it with the call. It outlives the call. nullptr: none.
  const Metadata* metadata = nullptr;
};

/// How a call ended.
struct CallResult {
  CallId call;
  Status status;
  Symbol pod = Symbol::none;  ///< Who answered.
  ConnectionId connection = ConnectionId::none;
  /// What carried the answer, there until this has been told: the call's own, unless a hedged
  /// attempt was answered first.
  const SubchannelCall* answered = nullptr;
};

/// A channel with one policy. It is IDLE until somebody calls or connects, and again when nobody
/// has called for its `idle_timeout`: then it has no connections and no addresses, and who calls
/// next has the name looked up anew (grpc/grpc legacy_channel_idle_filter.cc, where the time begins
/// with the end of a call; here, as in grpc-go, also when somebody connects).
///
/// Lives on its clock's thread: every method is called there, and everything it does happens there.
class Channel final : private PolicyHelper, private Resolver::Watcher {
 public:
  /// A call of which nothing was sent is picked again this often, and then fails. gRFC A6 has one
  /// such retry for a call that reached the server's library, and any number for one that never
  /// left; a world that cannot tell the two apart must not ask for ever.
  static constexpr std::uint32_t kTransparentRetries = 5;

  /// What it needs of the world. All of them outlive it.
  struct Ports {
    Clock& clock;
    Connector& connector;
    Trace& trace;
  };
  /// Made when it is first needed, for its address is the channel's.
  using MakeResolver = std::function<std::unique_ptr<Resolver>(Rng& rng, Symbol who)>;
  using Done = std::function<void(const CallResult&)>;

  Channel(Ports ports, ChannelConfig config, MakeResolver make_resolver);
  /// Ends every call with CANCELLED.
  ~Channel() override;

  /// Starts a call. `done` is called exactly once, on the clock's thread, and never before this has
  /// returned; it may do whatever may be done to a channel, except destroy it.
  /// @param subchannel_call outlives the call.
  CallId call(SubchannelCall& subchannel_call, const CallOptions& options, Done done);

  /// Ends a call with CANCELLED. Does nothing if it has ended.
  void cancel(CallId call);

  /// Leaves IDLE, as a call would.
  void connect(EventId cause = EventId::none);

  /// Asks the resolver for newer addresses. gRPC's own channels do so only by themselves, when a
  /// connection was lost or failed; a client that knows how many pods there should be can do it
  /// too.
  void look_again(EventId cause = EventId::none);

  ConnectivityState state() const { return state_; }
  Symbol who() const override { return who_; }

  /// Does `told` when the channel is destroyed, after the calls have ended, if it is still there.
  void on_close(std::weak_ptr<const Task> told);

  /// The subchannels that there are, by number.
  std::vector<std::shared_ptr<Subchannel>> subchannels() const { return pool_.all(); }

 private:
  /// One pick, and what was sent because of it.
  struct Attempt {
    std::uint32_t number;   // of all that were sent, from 1
    std::uint32_t counted;  // of those that A6 counts, if the call has a policy
    ConnectionId connection;
    std::shared_ptr<CallTracker> tracker;  // what the picker wants to hear of the end; mostly none
    SubchannelCall* subchannel_call;       // the call's own, or:
    std::unique_ptr<SubchannelCall> own;   // for one beside another
  };
  /// What the application asked for.
  struct Call {
    SubchannelCall* subchannel_call = nullptr;
    CallOptions options;
    Done done;
    Time started{};
    EventId event{};  // of its last step
    std::optional<std::uint32_t> max_request_bytes;
    std::optional<std::uint32_t> max_response_bytes;
    bool configured = false;             // it knows what the service config has for it
    std::vector<Attempt> attempts;       // under way: one, mostly
    bool cancelled = false;              // while some are: there will be no other one
    std::uint32_t sent = 0;              // attempts, ever
    std::uint32_t unsent = 0;            // those that came to nothing
    std::unique_ptr<Retrying> retrying;  // where its method has a policy
    // The deadline, while it is queued or waits for its next attempt (once it is sent, the link
    // keeps it); or its end.
    Timer timer;
    Timer next_attempt;
  };

  // PolicyHelper
  std::shared_ptr<Subchannel> subchannel(const Address& address, EventId cause) override {
    return pool_.subchannel(address, cause);
  }
  void publish(ConnectivityState state, std::unique_ptr<Picker> picker, const Status& why,
               EventId cause) override;
  void request_reresolution(EventId cause) override;
  std::optional<std::string> health_service() const override;
  Rng& rng() override { return rng_; }
  Trace& trace() override { return ports_.trace; }

  // Resolver::Watcher
  bool on_resolution(const Resolution& answer, EventId cause) override;
  bool keeps_config(const Status& why, EventId cause);
  void take_config(const Resolution& answer, EventId cause);

  Call& add_call(CallId id);
  void configure(CallId id, Call& call);
  void pick(CallId id, Call& call);
  void send(CallId id, Call& call, PickTo to, Link& link);
  void on_outcome(CallId id, std::uint32_t number, const Outcome& outcome, EventId cause);
  void judge(CallId id, Call& call, Attempt& ended, const Outcome& outcome, EventId cause);
  void try_again_at(CallId id, Call& call, Time when);
  void hedge_after_delay(CallId id, Call& call);
  void hedge(CallId id);
  void tell_tokens(std::uint32_t before, EventId cause);
  void enqueue(CallId id, Call& call, std::string_view reason);
  void keep_deadline(CallId id, Call& call, std::string_view too_late);
  /// @param by the attempt whose end it is; nullptr: none's.
  void end(CallId id, const Outcome& outcome, EventId cause, Attempt* by = nullptr);
  void drain_queue();
  void become(ConnectivityState state, const Status& why, EventId cause);
  void watch_idleness();
  void look_idle();
  void go_idle();

  Ports ports_;
  const ChannelConfig config_;
  const MakeResolver make_resolver_;
  const Symbol who_;
  Rng rng_;
  KeepaliveConfig keepalive_;  // what its next connections are made with
  ConnectivityState state_ = ConnectivityState::idle;
  EventId picker_event_ = EventId::none;
  std::unique_ptr<Picker> picker_;
  SubchannelPool pool_;
  std::unique_ptr<LbPolicy> policy_;
  PolicyConfig policy_config_;  // its
  std::unique_ptr<Resolver> resolver_;
  std::shared_ptr<const ServiceConfig>
      service_config_;  // in force; nullptr: none, or not yet known
  std::optional<RetryThrottle> throttle_;
  using Calls = std::unordered_map<CallId, Call>;
  Calls calls_;
  std::vector<Calls::node_type> spare_;  // of calls that have ended: the next ones need no memory
  CallId starting_{};                    // it is being started: it may not end yet
  std::vector<CallId> queue_;            // in order of arrival
  Timer leave_idle_;
  Time idle_since_{};  // there has been no call
  bool watches_idleness_ = false;
  Timer idle_;
  std::vector<std::weak_ptr<const Task>> on_close_;
  // Gone when we are: what is still in flight then must not tell us of its end.
  struct InFlight final : Caller {
    explicit InFlight(Channel& channel) : channel(channel) {}
    void on_outcome(CallId call, std::uint32_t attempt, const Outcome& outcome,
                    EventId cause) override {
      channel.on_outcome(call, attempt, outcome, cause);
    }
    Channel& channel;
  };
  std::shared_ptr<InFlight> in_flight_ = std::make_shared<InFlight>(*this);
};

}  // namespace greetlab
