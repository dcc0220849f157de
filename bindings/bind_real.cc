// All of the module that meets the real world, and the libraries behind it. A simulator alone has
// bind_absent.cc in its place.
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "bindings.h"

namespace greetlab {

void bind_real(pybind11::module_& module) {
  bind_dns(module);
  bind_greet(module);
  bind_live(module);
  bind_told(module);
  bind_kube(module);
  module.def("is_sim_only", [] { return false; }, "Whether this is a simulator alone.");
  module.def(
      "missing_packages", [] { return std::vector<std::string>(); },
      "Debian's packages for want of which this became a simulator alone.");
}

}  // namespace greetlab
