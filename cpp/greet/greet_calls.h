// The two methods of GreetService as calls on the completion queue.
#pragma once

#include <grpcpp/grpcpp.h>

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
};

/// Waits for the next Greet call; when it comes, another waits in its place.
void await_greet(GreetDesk& desk);

/// The same for GreetStream.
void await_greet_stream(GreetDesk& desk);

}  // namespace greetlab
