// What the peer clients of a greet service share.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "greet.pb.h"
#include "measurement.h"

namespace greetlab::bench {

/// Each call may take this long, as with `Channel.load`.
constexpr std::chrono::seconds kTimeout{5};

inline greet::GreetingRequest request() {
  greet::GreetingRequest request;
  request.mutable_greeting()->set_first_name("Ada");
  request.mutable_greeting()->set_last_name("Lovelace");
  return request;
}

/// A call that fails is not a figure: says why and ends the process.
inline void require_ok(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "a call failed with status %d: %s\n", status.error_code(),
               status.error_message().c_str());
  std::exit(1);
}

}  // namespace greetlab::bench
