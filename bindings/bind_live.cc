#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings.h"
#include "live/lab_channel.h"
#include "live/native_channel.h"
#include "trace_handle.h"
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

// Both engines have the same methods: they are bound by the same code.

template <class AnyChannel>
CallLog run(AnyChannel& channel, std::string first_name, std::string last_name, std::size_t calls,
            std::size_t concurrency, double interval, double timeout, bool wait_for_ready,
            bool keep_results) {
  const GreetLoad load{std::move(first_name),
                       std::move(last_name),
                       {calls, concurrency, seconds(interval), seconds(timeout), wait_for_ready},
                       keep_results};
  CallLog log = [&] {
    const Unlocked unlocked;
    return channel.run(load, signalled);
  }();
  if (PyErr_Occurred()) throw py::error_already_set();
  return log;
}

// Waits by `wait`, without the GIL, and says how it ended.
template <class Wait>
std::string waited(const Wait& wait) {
  const WaitResult result = [&] {
    const Unlocked unlocked;
    return wait();
  }();
  switch (result) {
    case WaitResult::ready: return "ready";
    case WaitResult::closed: return "closed";
    case WaitResult::timeout: break;
    case WaitResult::interrupted: throw py::error_already_set();
  }
  return "timeout";
}

template <class AnyChannel>
std::string wait_ready(AnyChannel& channel, bool all, double timeout) {
  return waited(
      [&, patience = seconds(timeout)] { return channel.wait_ready(all, patience, signalled); });
}

std::string wait_for_pods(LabChannel& channel, std::size_t pods, double timeout) {
  return waited([&, patience = seconds(timeout)] {
    return channel.wait_for_pods(pods, patience, signalled);
  });
}

std::span<const Event> events_of(const LabChannel& channel) {
  return channel.events();
}
const Symbols& symbols_of(const LabChannel& channel) {
  return channel.trace().symbols();
}
std::uint64_t dropped_of(const LabChannel& channel) {
  return channel.dropped();
}
std::span<const Event> events_of(const NativeChannel& channel) {
  return channel.recorder().events();
}
const Symbols& symbols_of(const NativeChannel& channel) {
  return channel.recorder().symbols();
}
std::uint64_t dropped_of(const NativeChannel& channel) {
  return channel.recorder().dropped();
}

template <class AnyChannel>
class LiveTrace final : public TraceHandle {
 public:
  LiveTrace(std::shared_ptr<AnyChannel> channel, std::string world)
      : channel_(std::move(channel)), world_(std::move(world)) {}

  std::span<const Event> events() const override { return events_of(*channel_); }
  const Symbols& symbols() const override { return symbols_of(*channel_); }
  std::uint64_t dropped() const override { return dropped_of(*channel_); }
  std::string world() const override { return world_; }

 private:
  const std::shared_ptr<AnyChannel> channel_;
  const std::string world_;
};

template <class AnyChannel>
void bind_methods(py::class_<AnyChannel, std::shared_ptr<AnyChannel>>& bound) {
  using Released = py::call_guard<Unlocked>;
  bound
      .def("run", &run<AnyChannel>, py::arg("first_name"), py::arg("last_name"), py::arg("calls"),
           py::arg("concurrency"), py::arg("interval"), py::arg("timeout"),
           py::arg("wait_for_ready"), py::arg("keep_results"),
           "Makes `calls` calls, `concurrency` at a time (or one each `interval` seconds, where it "
           "is "
           "not 0), each with `timeout` seconds to end.")
      .def("wait_ready", &wait_ready<AnyChannel>, py::arg("all"), py::arg("timeout"),
           "Connects, and waits: \"ready\" once the channel (with `all`: every subchannel) is "
           "READY, "
           "\"timeout\" after `timeout` seconds, \"closed\" if somebody closed it meanwhile.")
      .def("subchannels", &AnyChannel::subchannels, Released())
      .def(
          "trace",
          [](const std::shared_ptr<AnyChannel>& channel, std::string world) {
            return std::static_pointer_cast<TraceHandle>(
                std::make_shared<LiveTrace<AnyChannel>>(channel, std::move(world)));
          },
          py::arg("world"), "What has happened so far, marked as coming from `world`.")
      .def("close", &AnyChannel::close, Released());
}

void bind_channels(py::module_& module) {
  py::class_<SubchannelView>(module, "SubchannelView",
                             "One subchannel: our own, or one of gRPC's as its channelz shows it.")
      .def_readonly("address", &SubchannelView::address, "\"127.1.0.2:50051\"")
      .def_readonly("state", &SubchannelView::state, "\"READY\", ...")
      .def_readonly("local_addresses", &SubchannelView::local_addresses,
                    "Our end of each of its connections.")
      .def("__repr__",
           [](const SubchannelView& view) { return "<" + view.address + " " + view.state + ">"; });

  py::class_<LabChannel, std::shared_ptr<LabChannel>> lab(module, "LabChannel", R"(
The lab's own channel on real connections. Use it through greetlab.Channel.)");
  lab.def(py::init([](const std::string& target, const PolicyConfig& policy, double cooldown,
                      bool connection_per_call, std::string source_ip, std::string name,
                      std::uint64_t seed, std::size_t trace_capacity) {
            LabChannelOptions options;
            options.target = parse_target(target);
            options.policy = policy;
            options.cooldown = seconds(cooldown);
            options.connection_per_call = connection_per_call;
            options.source_ip = std::move(source_ip);
            options.name = std::move(name);
            options.seed = seed;
            options.trace_capacity = trace_capacity;
            const Unlocked unlocked;
            return std::make_shared<LabChannel>(std::move(options));
          }),
          py::kw_only(), py::arg("target"), py::arg("policy"), py::arg("cooldown"),
          py::arg("connection_per_call"), py::arg("source_ip"), py::arg("name"), py::arg("seed"),
          py::arg("trace_capacity"))
      .def(
          "wait_for_pods", &wait_for_pods, py::arg("pods"), py::arg("timeout"),
          "As `wait_ready`, until `pods` subchannels are READY; looks the name up again meanwhile.")
      .def(
          "tell_pod_changed",
          [](LabChannel& channel, std::string pod, const std::string& address, std::string change,
             bool ends) {
            channel.tell_pod_changed(std::move(pod), parse_address(address), std::move(change),
                                     ends);
          },
          py::arg("pod"), py::arg("address"), py::arg("change"), py::arg("ends"),
          "Puts into the trace that the cluster did this to a pod.")
      .def(
          "tell_endpoints_changed",
          [](LabChannel& channel, std::string service, const std::vector<std::string>& addresses) {
            std::vector<Address> listed;
            for (const std::string& address : addresses) listed.push_back(parse_address(address));
            channel.tell_endpoints_changed(std::move(service), std::move(listed));
          },
          py::arg("service"), py::arg("addresses"),
          "Puts into the trace that the cluster lists these as the service's endpoints.")
      .def("flush", &LabChannel::flush, py::call_guard<Unlocked>(),
           "Waits until what was told of the cluster stands in the trace.")
      .def_property_readonly("state", [](LabChannel& channel) {
        const Unlocked unlocked;
        return to_string(channel.state());
      });
  bind_methods(lab);

  py::class_<NativeChannel, std::shared_ptr<NativeChannel>> native(module, "NativeChannel", R"(
gRPC's own channel, with gRPC's own policies. Use it through greetlab.Channel.)");
  native
      .def(py::init([](std::string target, std::string policy, bool shuffle, double cooldown,
                       bool connection_per_call, std::string name, std::size_t trace_capacity) {
             NativeChannelOptions options{std::move(target), std::move(policy),   shuffle,
                                          seconds(cooldown), connection_per_call, std::move(name),
                                          trace_capacity};
             const Unlocked unlocked;
             return std::make_shared<NativeChannel>(std::move(options));
           }),
           py::kw_only(), py::arg("target"), py::arg("policy"), py::arg("shuffle_address_list"),
           py::arg("cooldown"), py::arg("connection_per_call"), py::arg("name"),
           py::arg("trace_capacity"))
      .def_property_readonly("state", [](const NativeChannel& channel) { return channel.state(); });
  bind_methods(native);
}

}  // namespace

void bind_live(py::module_& module) {
  bind_call_log(module);
  bind_channels(module);
}

}  // namespace greetlab
