#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "bindings.h"
#include "core/pod_options.h"
#include "greet/control_client.h"
#include "options.h"
#include "waiting.h"

namespace py = pybind11;

namespace greetlab {
namespace {

// Calls without the GIL; Ctrl-C is what is raised where it was what ended the call.
template <class Act>
void act(const Act& act) {
  try {
    const Unlocked unlocked;
    act();
  } catch (const std::runtime_error&) {
    if (PyErr_Occurred()) throw py::error_already_set();
    throw;
  }
}

}  // namespace

void bind_greet(py::module_& module) {
  module.def("pod_options", &options_list<PodOptions>,
             "[(name, default, help)] of how a pod serves; times in seconds.");
  module.def(
      "pod_flags",
      [](const py::kwargs& given) {
        const auto options = options_from<PodOptions>(given);
        options.check();
        std::vector<std::string> flags;
        PodOptions::each(options,
                         [&]<class Value>(std::string name, const Value& value, const char*) {
                           if (!given.contains(name)) return;
                           std::ranges::replace(name, '_', '-');
                           if constexpr (std::is_same_v<Value, Distribution>) {
                             flags.insert(flags.end(), {"--" + name, value.text()});
                           } else if constexpr (std::is_same_v<Value, bool>) {
                             if (value) flags.push_back("--" + name);
                           } else if (value) {
                             flags.insert(flags.end(), {"--" + name, std::to_string(*value)});
                           }
                         });
        return flags;
      },
      "How greet-server is told of these options.");

  py::class_<ControlClient>(module, "ControlClient", R"(
Changes a running greet-server through its control socket.

Each method blocks until the server has acted, and raises RuntimeError if it refuses or does not
answer within 5 s.)")
      .def(py::init([](const std::string& control) {
             return std::make_unique<ControlClient>(checked_path(control), signalled);
           }),
           py::arg("control"), "control: what the server was given as --control.")
      .def(
          "set_latency",
          [](const ControlClient& client, const py::object& longer) {
            const Distribution time = distribution(longer);
            act([&] { client.set_latency(time); });
          },
          py::arg("longer"),
          "Serve each greeting this much longer: seconds, two of them for a uniform draw, or a "
          "text such as 'exponential 20ms'.")
      .def(
          "set_error_rate",
          [](const ControlClient& client, double rate) {
            act([&] { client.set_error_rate(rate); });
          },
          py::arg("rate"), "Fail this share of greetings (0 to 1) with UNAVAILABLE.")
      .def(
          "set_serving",
          [](const ControlClient& client, bool serving) {
            act([&] { client.set_serving(serving); });
          },
          py::arg("serving"),
          "What the health service answers from now on: SERVING or NOT_SERVING.");
}

}  // namespace greetlab
