#include "bindings.h"
#include "greet/control_client.h"

namespace py = pybind11;

namespace greetlab {
void bind_greet(py::module_& module) {
  using Released = py::call_guard<py::gil_scoped_release>;

  py::class_<ControlClient>(module, "ControlClient", R"(
Changes a running greet-server through its control socket.

Each method blocks until the server has acted, and raises RuntimeError if it refuses or does not
answer within 5 s.)")
      .def(py::init<const std::string&>(), py::arg("control"),
           "control: what the server was given as --control.")
      .def(
          "set_latency",
          [](ControlClient& client, double least, double most) {
            client.set_latency({seconds(least), seconds(most)});
          },
          py::arg("least"), py::arg("most"), Released(),
          "Wait this many seconds before each answer: a uniform draw between the two; `least` "
          "where `most` is not above it.")
      .def("set_error_rate", &ControlClient::set_error_rate, py::arg("rate"), Released(),
           "Fail this share of greetings (0 to 1) with UNAVAILABLE.")
      .def("set_serving", &ControlClient::set_serving, py::arg("serving"), Released(),
           "What the health service answers from now on: SERVING or NOT_SERVING.");
}

}  // namespace greetlab
