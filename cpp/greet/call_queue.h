// The completion queue that every call of this server lives on, and the loop of the one thread that
// polls it.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_set>
#include <utility>

namespace greetlab {

/// Whatever waits on the queue.
class Tag {
 public:
  Tag() = default;
  Tag(const Tag&) = delete;
  Tag& operator=(const Tag&) = delete;
  virtual ~Tag() = default;

  /// The operation is done; `ok` is false if it never happened (the server stops, the client went
  /// away). Runs on the queue's thread. The tag may delete itself.
  virtual void proceed(bool ok) = 0;

  /// The same once the queue stops: no operation may be begun any more, so all that is left to do
  /// is to go.
  virtual void drop(bool) { delete this; }
};

/// Not a general event loop: as much as a server needs that has to end at any moment. gRPC does not
/// forgive an operation that begins on a queue which was shut down, and a call can be in the middle
/// of a wait of its own just then; so the queue's own thread shuts it down, and from then on calls
/// are dropped instead of continued.
class CallQueue {
 public:
  explicit CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : queue_(std::move(queue)) {}

  grpc::ServerCompletionQueue* get() { return queue_.get(); }

  /// Serves until `stop`. Everything but `stop` belongs to the thread that is in here.
  void run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      if (tag == this) {
        stopping_ = true;
        for (grpc::Alarm* alarm : waits_) alarm->Cancel();
        queue_->Shutdown();
      } else if (stopping_) {
        static_cast<Tag*>(tag)->drop(ok);
      } else {
        static_cast<Tag*>(tag)->proceed(ok);
      }
    }
  }

  /// Ends `run`, soon. To be called once, by any thread, when the server has been shut down.
  void stop() { stop_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), this); }

  /// `tag` goes on after `delay`, or when the queue stops.
  void wait(grpc::Alarm& alarm, std::chrono::nanoseconds delay, Tag* tag) {
    using Clock = std::chrono::system_clock;
    const auto most = std::chrono::hours(24 * 365);  // what a clock can add without overflow
    waits_.insert(&alarm);
    alarm.Set(queue_.get(),
              Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 std::min<std::chrono::nanoseconds>(delay, most)),
              tag);
  }
  /// That wait is over.
  void waited(grpc::Alarm& alarm) { waits_.erase(&alarm); }

 private:
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::Alarm stop_;
  bool stopping_ = false;
  std::unordered_set<grpc::Alarm*> waits_;
};

}  // namespace greetlab
