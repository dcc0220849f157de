// A call of any method through gRPC's own channel.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "channel/method_call.h"
#include "oracle/call_recorder.h"

namespace greetlab {

/// Makes the call on the caller's thread, and waits for its end. Always as a stream: how many
/// messages there are is for the caller to see.
///
/// @param stop asked at least every `kAttention`; true: it is cancelled.
MethodAnswer call_native_method(const std::shared_ptr<grpc::Channel>& channel,
                                const MethodRequest& request, CallRecorder& recorder,
                                const std::function<bool()>& stop);

}  // namespace greetlab
