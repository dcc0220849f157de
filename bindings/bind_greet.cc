#include "bindings.h"
#include "greet/control_client.h"
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
          [](const ControlClient& client, double least, double most) {
            const Latency latency{seconds(least), seconds(most)};
            act([&] { client.set_latency(latency); });
          },
          py::arg("least"), py::arg("most"),
          "Wait this many seconds before each answer: a uniform draw between the two; `least` "
          "where `most` is not above it.")
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
