// Service configs: what a text means, and what there is to say about it.
#include <pybind11/stl.h>

#include "bindings.h"
#include "config/service_config.h"
#include "config/txt_config.h"

namespace py = pybind11;

namespace greetlab {
namespace {

using Handle = std::shared_ptr<ServiceConfig>;

/// Python has no const: it cannot change one either, for nothing is bound that would.
Handle handle(const std::shared_ptr<const ServiceConfig>& config) {
  return std::const_pointer_cast<ServiceConfig>(config);
}

}  // namespace

void bind_config(py::module_& module) {
  py::class_<ServiceConfig, Handle>(module, "ServiceConfig", R"(
A service config that makes sense. `read_service_config` makes one.)")
      .def_readonly("text", &ServiceConfig::text, "The JSON on one line, in ASCII.")
      .def_readonly("policy", &ServiceConfig::policy,
                    "The PolicyConfig that it names, complete; None: it names none.");

  py::class_<Remark>(module, "Remark", "What there is to say about one place in a config.")
      .def_readonly("sentence", &Remark::sentence, "Where, and what.")
      .def_readonly("stock", &Remark::stock,
                    "What stock gRPC does with it, where that differs; else empty.")
      .def("__str__", py::overload_cast<const Remark&>(&to_string))
      .def("__repr__", py::overload_cast<const Remark&>(&to_string));

  py::class_<ReadServiceConfig>(module, "ReadServiceConfig", "A service config, as it was read.")
      .def_property_readonly(
          "config", [](const ReadServiceConfig& read) { return handle(read.config); },
          "The ServiceConfig; None: there are errors.")
      .def_readonly("errors", &ReadServiceConfig::errors, "All of them.")
      .def_readonly("warnings", &ReadServiceConfig::warnings,
                    "It is taken, but hardly as it was meant.")
      .def_readonly("elsewhere", &ReadServiceConfig::elsewhere,
                    "All is well here; not in every language.");

  module.def("read_service_config", &read_service_config, py::arg("text"), R"(
Reads a service config's JSON text by gRPC's rules (grpc/grpc doc/service_config.md).)");

  module.def(
      "choose_config",
      [](const std::vector<std::string>& records, const std::string& hostname,
         std::uint32_t percentile) {
        const TxtConfig chosen = choose_config(records, {hostname, percentile});
        return std::pair(handle(chosen.config), chosen.status.message);
      },
      py::arg("records"), py::arg("hostname"), py::arg("percentile"), R"(
The ServiceConfig that a client takes from these TXT records (gRFC A2), and why there is none: ""
if they have none for it.)");
}

}  // namespace greetlab
