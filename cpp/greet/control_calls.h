// The control service: how a lesson changes a running pod.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "control.grpc.pb.h"
#include "greet/behaviour.h"
#include "greet/call_queue.h"

namespace greetlab {

/// Waits for calls of control.proto. They are taken from unix sockets only: who reaches the port
/// that takes the traffic gets PERMISSION_DENIED.
///
/// @param set_serving called with what the health service is to say from now on.
void await_control(greetlab::control::Control::AsyncService& service, CallQueue& queue,
                   Behaviour& behaviour, std::function<void(bool)> set_serving);

}  // namespace greetlab
