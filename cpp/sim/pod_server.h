// What a pretend pod does with the calls that come to it, where it cannot do everything at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "core/clock.h"
#include "core/load_report.h"
#include "core/pod_queue.h"
#include "core/rng.h"
#include "core/status.h"
#include "sim/pod.h"
#include "trace/trace.h"

namespace greetlab {

/// The process of a pod that has a capacity, or that reports its load. A call that waits is served
/// only while its client is there and its deadline has not passed. One that is being served goes on
/// to its end, whether or not anybody still wants the answer: few handlers look.
class PodServer {
 public:
  /// A call, as long as the pod knows it.
  enum class JobId : std::uint64_t {};

  struct Reply {
    Status status;
    std::shared_ptr<const LoadReport> load = nullptr;  // it does not report
    std::optional<Duration> pushback = std::nullopt;
  };

  /// Who sends it calls: a connection.
  class Client {
   public:
    virtual ~Client() = default;
    /// The pod has answered. Not for a call that was given up, and never from within `arrive`.
    /// @param place as it was given to `arrive`.
    virtual void on_reply(std::size_t place, JobId job, const Reply& reply, EventId cause) = 0;
  };

  /// All of them outlive it.
  PodServer(Clock& clock, Rng& rng, Trace& trace, SimPod& pod, const PodOptions& options);

  /// A call is on its way, and comes at `when`.
  JobId arrive(std::weak_ptr<Client> client, std::size_t place, CallId call, Time when,
               EventId cause);
  /// Its client has given it up, which the pod hears at `when`.
  void give_up(JobId job, Time when);
  /// What it says of its load; nothing where it does not report it.
  std::optional<LoadReport> report();
  /// The process is gone, and with it whatever it had to do.
  void kill();

 private:
  struct Job {
    std::weak_ptr<Client> client;
    std::size_t place;
    CallId call;
    Time came;
    EventId cause;
    Timer next;
    Timer gone;
  };

  void come(JobId id);
  void begin(JobId id);
  void end(JobId id);
  void leave(JobId id);
  void answer(JobId id, Reply reply);
  void tell(Job& job, std::string_view step);

  Clock& clock_;
  Rng& rng_;
  Trace& trace_;
  SimPod& pod_;
  const PodOptions options_;
  PodQueue<JobId> queue_;
  std::unordered_map<JobId, Job> jobs_;
  std::uint64_t jobs_ever_ = 0;
};

}  // namespace greetlab
