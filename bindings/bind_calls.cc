// What became of calls, and what a channel can be told: of every world, and of a client in another
// process.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"
#include "client/answers.h"
#include "core/call_log.h"
#include "core/printable.h"
#include "lb/channel_options.h"
#include "lb/endpoint_slices.h"
#include "options.h"

namespace py = pybind11;

namespace greetlab {
namespace {

// A read-only NumPy view of a column, without a copy; it keeps the log alive.
template <class T>
auto column(std::vector<T> CallLog::* member) {
  return [member](const py::object& self) {
    const std::vector<T>& values = self.cast<const CallLog&>().*member;
    py::array_t<T> view(static_cast<py::ssize_t>(values.size()), values.data(), self);
    view.attr("flags").attr("writeable") = false;
    return view;
  };
}

void bind_call_log(py::module_& module) {
  py::class_<CalledPod>(module, "CalledPod", "A pod that answered: its name and its address.")
      .def_readonly("name", &CalledPod::name)
      .def_readonly("ip", &CalledPod::ip)
      .def("__repr__",
           [](const CalledPod& pod) { return printable("<" + pod.name + " " + pod.ip + ">"); });

  py::class_<CalledConnection>(module, "CalledConnection", R"(
A TCP connection as its two ends name it: `pod`, the row of the pod that answered, and `peer`, the
other end as that pod saw it.)")
      .def_readonly("pod", &CalledConnection::pod)
      .def_readonly("peer", &CalledConnection::peer)
      .def("__repr__", [](const CalledConnection& connection) {
        return printable("<pod " + std::to_string(connection.pod) + ", peer " + connection.peer +
                         ">");
      });

  py::class_<CallLog>(module, "CallLog", R"(
What became of each call: columns with one row a call, in the order in which they were started.

The columns are read-only NumPy views of C++ memory, without a copy.)")
      .def("__len__", &CallLog::size)
      .def_property_readonly("start_ns", column(&CallLog::start_ns),
                             "int64: when it was started, CLOCK_MONOTONIC in nanoseconds.")
      .def_property_readonly("latency_ns", column(&CallLog::latency_ns),
                             "int64: from its start to its end, nanoseconds.")
      .def_property_readonly("status", column(&CallLog::status), "int32: gRPC status, 0 = OK.")
      .def_property_readonly("pod", column(&CallLog::pod),
                             "int32: row of `pods`; -1 = no pod answered.")
      .def_property_readonly("connection", column(&CallLog::connection),
                             "int32: row of `connections`; -1 = unknown.")
      .def_property_readonly("serial", column(&CallLog::serial),
                             "int64: the pod's own count of its greetings; 0 = not told.")
      .def_property_readonly("message", column(&CallLog::message),
                             "int32: row of `messages`; -1 = the call was OK.")
      .def_readonly("results", &CallLog::results, "The greetings in words, where kept.")
      .def_readonly("pods", &CallLog::pods, "In the order in which they first answered.")
      .def_readonly("connections", &CallLog::connections)
      .def_readonly("messages", &CallLog::messages, "Each different error message once.");
}

// What a greet-client that is driven from here answered: "ok" of its line.
template <class Answer>
Answer answered(const std::string& line, Answer answer) {
  try {
    nlohmann::json::parse(line).at("ok").get_to(answer);
  } catch (const nlohmann::json::exception& error) {
    throw std::invalid_argument(error.what());
  }
  return answer;
}

void bind_slice_endpoint(py::module_& module) {
  py::class_<SliceEndpoint>(module, "SliceEndpoint", R"(
An endpoint as an EndpointSlice has it: a pod's address, and its conditions.)")
      .def(py::init([](std::string pod, const std::string& address, bool ready, bool serving,
                       bool terminating) {
             return SliceEndpoint{
                 std::move(pod), {parse_address(address)}, ready, serving, terminating};
           }),
           py::arg("pod"), py::arg("address"), py::kw_only(), py::arg("ready"), py::arg("serving"),
           py::arg("terminating"))
      .def_readonly("pod", &SliceEndpoint::pod)
      .def_property_readonly(
          "address", [](const SliceEndpoint& one) { return to_string(one.addresses.front()); },
          "\"10.244.0.3:50051\"")
      .def_readonly("ready", &SliceEndpoint::ready)
      .def_readonly("serving", &SliceEndpoint::serving)
      .def_readonly("terminating", &SliceEndpoint::terminating)
      .def("__repr__", [](const SliceEndpoint& one) {
        return printable("<" + one.pod + " " + to_string(one.addresses.front()) +
                         (one.ready ? " ready" : "") + (one.serving ? " serving" : "") +
                         (one.terminating ? " terminating" : "") + ">");
      });
}

}  // namespace

void bind_calls(py::module_& module) {
  bind_call_log(module);
  bind_slice_endpoint(module);

  module.def(
      "answered_calls", [](const std::string& line) { return answered(line, CallLog(0)); },
      py::arg("line"), "The calls that greet-client --serve says it made.");
  module.def(
      "answered_lookup", [](const std::string& line) { return answered(line, Lookup()); },
      py::arg("line"), "The lookup that greet-client --serve says it made.");

  module.def(
      "channel_options",
      [](const py::kwargs& given) { return options_shown(options_from<ChannelOptions>(given)); },
      R"(
[(name, default, help)] of what a channel can be told; durations in seconds. What is given stands in
its default's place. Raises TypeError for what is no option, or a value that is none of it.)");
}

}  // namespace greetlab
