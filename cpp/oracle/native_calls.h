// Calls through gRPC's own channel that nobody waits for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "channel/greet_done.h"
#include "core/time.h"
#include "greet.grpc.pb.h"
#include "oracle/call_recorder.h"

namespace greetlab {

/// Each tells its end on a thread of gRPC's. Several threads may start some.
class NativeCalls {
 public:
  /// @param recorder outlives it.
  explicit NativeCalls(CallRecorder& recorder) : recorder_(recorder) {}

  /// @return cancels it.
  std::function<void()> start(greet::GreetService::Stub& stub, greet::GreetingRequest request,
                              Duration timeout, GreetDone done);

  /// Cancels what is in flight, and waits until each has told its end.
  void cancel();

 private:
  struct Call;

  void finish(const std::shared_ptr<Call>& call, const grpc::Status& status);

  CallRecorder& recorder_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_set<std::shared_ptr<Call>> in_flight_;
};

}  // namespace greetlab
