// The two methods of GreetService as calls on the completion queue.
#pragma once

#include <grpcpp/grpcpp.h>

#include "core/pod_queue.h"
#include "greet.grpc.pb.h"
#include "greet/behaviour.h"
#include "greet/call_queue.h"
#include "greet/greeting.h"

namespace greetlab {

/// What every greeting call needs. Outlives them all.
struct GreetDesk {
  greet::GreetService::AsyncService& service;
  CallQueue& queue;
  Greeter& greeter;
  Behaviour& behaviour;
  PodOptions options;
  /// Who waits in it goes on by `proceed`. nullptr: nobody does, and nobody counts.
  PodQueue<Tag*>* places;
  bool handing_out = false;  ///< Places, to those that wait.
};

/// On the clock of `PodQueue` here, CLOCK_MONOTONIC.
Time monotonic_now();

/// Waits for the next Greet call; when it comes, another waits in its place.
void await_greet(GreetDesk& desk);

/// The same for GreetStream.
void await_greet_stream(GreetDesk& desk);

}  // namespace greetlab
