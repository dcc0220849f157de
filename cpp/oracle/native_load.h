// The loop that calls through gRPC's own channel.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "channel/greet_load.h"
#include "greet.grpc.pb.h"
#include "oracle/call_recorder.h"

namespace greetlab {

/// Where the calls go.
struct NativeRoute {
  greet::GreetService::Stub* stub;
  /// A channel of its own for every call; empty: `stub` takes them all.
  std::function<std::shared_ptr<grpc::Channel>()> dial;
};

/// Makes the calls on the caller's thread, from a completion queue of its own: hand-over to another
/// thread would cost as much as the call.
///
/// @param stop asked at least every `kAttention`; true: cancel what is in flight, start no more.
/// @return what became of each; what was not started is CANCELLED.
CallLog run_native_load(const GreetLoad& load, const NativeRoute& route, CallRecorder& recorder,
                        const std::function<bool()>& stop);

}  // namespace greetlab
