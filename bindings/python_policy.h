// A learner's own policy: which of the READY connections gets a call is asked of Python.
#pragma once

#include <pybind11/pybind11.h>

#include "lb/policy.h"

namespace greetlab {

/// A policy whose picker asks `factory().pick(ready, call)`: one of `ready`, or None to wait. All
/// else is as round_robin has it. A pick that raises, or returns anything else, fails its call with
/// a sentence, and nothing but the call.
///
/// Picks happen on whichever thread has the channel, which takes the GIL for them. So nobody may
/// wait for a channel with the GIL held.
/// @param factory a class that is derived from greetlab.Policy.
PolicyConfig python_policy(pybind11::object factory, std::string name);

void bind_python_policy(pybind11::module_& module);

}  // namespace greetlab
