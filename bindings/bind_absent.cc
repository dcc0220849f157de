// A simulator alone (CMakeLists.txt, GREETLAB_SIM_ONLY): each name of bind_real.cc is there, so
// that what imports it can be imported, and says what is missing once it is called.
#include <pybind11/stl.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"

namespace py = pybind11;

namespace greetlab {

void bind_real(py::module_& module) {
  for (const char* name :
       {"ControlClient", "DnsResolver", "GreetChannel", "MethodAnswer", "ResolverConfig",
        "SliceWatchBench", "SubchannelView", "ToldCalls", "address_order", "call_log",
        "check_method", "draws", "greeting_request", "hosts_addresses", "open_channel",
        "read_credentials", "read_kubeconfig", "system_resolver_config"}) {
    module.def(name, [name](const py::args&, const py::kwargs&) {
      // Raises: what to do about it is Python's to say.
      py::module_::import("greetlab.real").attr("need")(name);
    });
  }
  // The sim's only core.
  module.def("engines", [] {
    return std::vector<std::pair<std::string, std::string>>{
        {"lab", "ours, every step of which is in the trace"}};
  });
  module.def("is_sim_only", [] { return true; });
  module.def("missing_packages", [] {
    std::vector<std::string> all;
    std::istringstream packages(GREETLAB_MISSING);
    for (std::string some; std::getline(packages, some, ',');) all.push_back(some);
    return all;
  });
}

}  // namespace greetlab
