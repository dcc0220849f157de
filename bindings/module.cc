// greetlab._core: the C++ core as a Python module. This file is its table of contents.
#include "bindings.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "greetlab's C++ core. Use it through the greetlab package.";
  greetlab::bind_lookup(module);
  greetlab::bind_pods(module);
  greetlab::bind_policy(module);  // what the others take
  greetlab::bind_config(module);
  greetlab::bind_calls(module);
  greetlab::bind_trace(module);
  greetlab::bind_sim(module);
  greetlab::bind_wasm(module);
  greetlab::bind_bench(module);
  greetlab::bind_real(module);
  greetlab::seal(module);
}
