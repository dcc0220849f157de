#include <optional>
#include <string>

#include "bindings.h"
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
          "set_failing",
          [](const ControlClient& client, double rate, const std::string& code,
             std::optional<double> pushback) {
            const Failing failing = failing_from(rate, code, pushback);
            act([&] { client.set_failing(failing); });
          },
          py::arg("rate"), py::arg("code"), py::arg("pushback"),
          "Fail this share of greetings (0 to 1) with this code; pushback: seconds until the "
          "client "
          "may ask again, less than 0: never, None: nothing is said of it.")
      .def(
          "set_serving",
          [](const ControlClient& client, bool serving) {
            act([&] { client.set_serving(serving); });
          },
          py::arg("serving"),
          "What the health service answers from now on: SERVING or NOT_SERVING.");
}

}  // namespace greetlab
