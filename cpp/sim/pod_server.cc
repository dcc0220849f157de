#include "sim/pod_server.h"

#include <algorithm>
#include <utility>

namespace greetlab {

SimPod::SimPod() = default;
SimPod::~SimPod() = default;

PodServer::PodServer(Clock& clock, Rng& rng, Trace& trace, SimPod& pod, const PodOptions& options)
    : clock_(clock),
      rng_(rng),
      trace_(trace),
      pod_(pod),
      options_(options),
      queue_(options, clock.now()) {}

PodServer::JobId PodServer::arrive(std::weak_ptr<Client> client, std::size_t place, CallId call,
                                   Time when, EventId cause) {
  const JobId id{++jobs_ever_};
  Job& job = jobs_[id] = {std::move(client), place, call, when, cause, {}, {}};
  job.next = clock_.at(when, [this, id] { come(id); });
  return id;
}

void PodServer::give_up(JobId id, Time when) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return;  // answered, and the client does not know yet
  // Not before the call itself: TCP keeps their order.
  job->second.gone = clock_.at(std::max(when, job->second.came), [this, id] { leave(id); });
}

std::optional<LoadReport> PodServer::report() {
  if (!options_.load_reports) return std::nullopt;
  return queue_.report(clock_.now());
}

void PodServer::kill() {
  jobs_.clear();
  queue_ = PodQueue<JobId>(options_, clock_.now());
}

void PodServer::come(JobId id) {
  switch (queue_.arrive(id, clock_.now())) {
    case Entry::begun: return begin(id);
    case Entry::waits: return tell(jobs_.at(id), "waits");
    case Entry::refused: break;
  }
  tell(jobs_.at(id), "refuses");
  answer(id, {{Code::resource_exhausted, kQueueFull}});
}

void PodServer::begin(JobId id) {
  Job& job = jobs_.at(id);
  tell(job, "begins");
  Duration takes = pod_.service_time.draw(rng_);
  takes += pod_.slowness.draw(rng_);  // by itself: which side of a + comes first is the compiler's
  job.next = clock_.at(clock_.now() + takes, [this, id] { end(id); });
}

void PodServer::end(JobId id) {
  const bool fails = pod_.failing.draw(rng_);
  queue_.end(!fails, clock_.now());
  tell(jobs_.at(id), "ends");
  while (const auto next = queue_.next(clock_.now())) begin(*next);
  answer(id, fails ? Reply{pod_.failing.status(), nullptr, pod_.failing.pushback} : Reply{});
}

// The client's RST_STREAM has come, or its deadline, which is the pod's, too (grpc-timeout).
void PodServer::leave(JobId id) {
  Job& job = jobs_.at(id);
  if (queue_.leave(id)) {
    tell(job, "loses");
    jobs_.erase(id);
  } else {
    job.client.reset();  // it is being served
  }
}

void PodServer::answer(JobId id, Reply reply) {
  const auto job = jobs_.extract(id);
  const auto client = job.mapped().client.lock();
  if (!client) return;
  if (auto said = report()) reply.load = std::make_shared<const LoadReport>(*std::move(said));
  client->on_reply(job.mapped().place, id, reply, job.mapped().cause);
}

void PodServer::tell(Job& job, std::string_view step) {
  if (!options_.capacity) return;  // nobody ever waits
  const EventId told = trace_.emit(pod_.who, job.cause, [&] {
    return PodServed{job.call, trace_.symbol(step), clock_.now() - job.came, queue_.in_service(),
                     static_cast<std::uint32_t>(queue_.waiting())};
  });
  if (told != EventId::none) job.cause = told;
}

}  // namespace greetlab
