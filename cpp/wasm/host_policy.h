// A picker of the learner's own: policy=mine. Whom a call goes to, the page says (its host).
#pragma once

#include <string_view>

#include "lb/policy.h"

namespace greetlab {

/// What such a policy is called in a script.
inline constexpr std::string_view kOwnPolicy = "mine";

/// It connects to every address, as round_robin does, and asks the host for each call: see
/// `greetlab_pick`. The Python form is greetlab.Policy.
PolicyConfig host_policy();

}  // namespace greetlab

/// What the host answers with: one of the rows, from 0; -1: the call waits; less: it has failed to
/// choose, and so does the call (INTERNAL). It must not call the engine.
///
/// @param rows of the READY subchannels, seven numbers each: its number in the trace, calls in
///   flight, answered, failed; seconds: the last answer's, the mean of answers (each counts an
///   eighth), and how long the oldest call in flight has waited.
/// @param client its symbol: each client has a picker of its own.
extern "C" std::int32_t greetlab_pick(const double* rows, std::uint32_t count, std::uint32_t call,
                                      std::uint32_t client)
#if defined(__wasm__)
    __attribute__((import_module("host"), import_name("pick")))
#endif
    ;
