#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings.h"
#include "live/native_channel.h"
#include "waiting.h"

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
      .def("__repr__", [](const CalledPod& pod) { return "<" + pod.name + " " + pod.ip + ">"; });

  py::class_<CalledConnection>(module, "CalledConnection", R"(
A TCP connection as its two ends name it: `pod`, the row of the pod that answered, and `peer`, the
other end as that pod saw it.)")
      .def_readonly("pod", &CalledConnection::pod)
      .def_readonly("peer", &CalledConnection::peer)
      .def("__repr__", [](const CalledConnection& connection) {
        return "<pod " + std::to_string(connection.pod) + ", peer " + connection.peer + ">";
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

CallLog run(NativeChannel& channel, const std::string& first_name, const std::string& last_name,
            std::size_t calls, std::size_t concurrency, double timeout, bool keep_results) {
  const Load load{first_name, last_name, calls, concurrency, seconds(timeout), keep_results};
  CallLog log = [&] {
    const py::gil_scoped_release released;
    return channel.run(load, signalled);
  }();
  if (PyErr_Occurred()) throw py::error_already_set();
  return log;
}

std::string wait_ready(NativeChannel& channel, bool all, double timeout) {
  const WaitResult result = [&, patience = seconds(timeout)] {
    const py::gil_scoped_release released;
    return channel.wait_ready(all, patience, signalled);
  }();
  switch (result) {
    case WaitResult::ready: return "ready";
    case WaitResult::closed: return "closed";
    case WaitResult::timeout: break;
    case WaitResult::interrupted: throw py::error_already_set();
  }
  return "timeout";
}

void bind_native_channel(py::module_& module) {
  using Released = py::call_guard<py::gil_scoped_release>;

  py::class_<SubchannelView>(module, "SubchannelView",
                             "One subchannel, as gRPC's own channelz shows it.")
      .def_readonly("address", &SubchannelView::address, "\"127.1.0.2:50051\"")
      .def_readonly("state", &SubchannelView::state, "\"READY\", ...")
      .def_readonly("local_addresses", &SubchannelView::local_addresses,
                    "Our end of each of its connections.")
      .def("__repr__",
           [](const SubchannelView& view) { return "<" + view.address + " " + view.state + ">"; });

  py::class_<NativeChannel>(module, "NativeChannel", R"(
gRPC's own channel, with gRPC's own policies.

target: any target that gRPC takes, such as "dns:///name:port".
policy: "pick_first" or "round_robin"; empty = gRPC's default, pick_first.
connection_per_call: dial anew for every call, and hang up after it.)")
      .def(py::init([](std::string target, std::string policy, bool connection_per_call) {
             const py::gil_scoped_release released;
             return std::make_unique<NativeChannel>(
                 NativeChannelOptions{std::move(target), std::move(policy), connection_per_call});
           }),
           py::arg("target"), py::arg("policy") = "", py::arg("connection_per_call") = false)
      .def("run", &run, py::arg("first_name"), py::arg("last_name"), py::arg("calls"),
           py::arg("concurrency"), py::arg("timeout"), py::arg("keep_results"),
           "Makes `calls` calls, `concurrency` at a time, each with `timeout` seconds to end.")
      .def("wait_ready", &wait_ready, py::arg("all"), py::arg("timeout"),
           "Connects, and waits: \"ready\" once the channel (with `all`: every subchannel) is "
           "READY, "
           "\"timeout\" after `timeout` seconds, \"closed\" if somebody closed it meanwhile.")
      .def_property_readonly("state", &NativeChannel::state)
      .def("subchannels", &NativeChannel::subchannels, Released())
      .def("close", &NativeChannel::close, Released());
}

}  // namespace

void bind_live(py::module_& module) {
  bind_call_log(module);
  bind_native_channel(module);
}

}  // namespace greetlab
