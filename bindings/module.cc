// greetlab._core: the C++ core as a Python module. This file is its table of contents.
#include "bindings.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "greetlab's C++ core. Use it through the greetlab package.";
  greetlab::bind_dns(module);
  greetlab::bind_greet(module);
  greetlab::bind_policy(module);  // what the others take
  greetlab::bind_config(module);
  greetlab::bind_live(module);
  greetlab::bind_trace(module);
  greetlab::bind_told(module);
  greetlab::bind_sim(module);
  greetlab::bind_wasm(module);
  greetlab::bind_bench(module);
  greetlab::bind_kube(module);
  greetlab::seal(module);
}
