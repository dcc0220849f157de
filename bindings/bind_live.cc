#include <pybind11/stl.h>

#include "bindings.h"
#include "core/printable.h"
#include "engine/engine.h"
#include "load_config.h"
#include "options.h"
#include "trace_handle.h"
#include "waiting.h"

namespace py = pybind11;

namespace greetlab {
namespace {

std::vector<Address> parsed(const std::vector<std::string>& texts) {
  std::vector<Address> addresses;
  for (const std::string& text : texts) addresses.push_back(parse_address(text));
  return addresses;
}

CallLog run(GreetChannel& channel, std::string first_name, std::string last_name, std::size_t calls,
            std::size_t concurrency, const py::object& interval, double timeout,
            bool wait_for_ready, const BytesMetadata& metadata, std::string key_header,
            std::size_t keys, bool keep_results, std::uint64_t seed) {
  const GreetLoad load{std::move(first_name), std::move(last_name),
                       load_config(calls, concurrency, interval, timeout, wait_for_ready, metadata,
                                   std::move(key_header), keys, seed),
                       keep_results};
  CallLog log = [&] {
    const Unlocked unlocked;
    return channel.run(load, signalled);
  }();
  if (PyErr_Occurred()) throw py::error_already_set();
  return log;
}

MethodAnswer call_method(GreetChannel& channel, std::string path, const py::bytes& message,
                         const BytesMetadata& metadata, double timeout, bool wait_for_ready,
                         bool stream, std::size_t most) {
  MethodRequest request{
      std::move(path), message, metadata_of(metadata), seconds(timeout), wait_for_ready,
      stream,          most};
  MethodAnswer answer = [&] {
    const Unlocked unlocked;
    return channel.call(std::move(request), signalled);
  }();
  if (PyErr_Occurred()) throw py::error_already_set();
  return answer;
}

std::vector<std::pair<std::string, py::bytes>> shown(const Metadata& metadata) {
  std::vector<std::pair<std::string, py::bytes>> pairs;
  for (const auto& [name, value] : metadata) pairs.emplace_back(name, py::bytes(value));
  return pairs;
}

MethodAnswer made(int code, std::string error, const std::vector<py::bytes>& messages,
                  const std::vector<std::pair<std::string, py::bytes>>& headers,
                  const std::vector<std::pair<std::string, py::bytes>>& trailers) {
  MethodAnswer answer{{code_of(code), std::move(error)}, {}, {}, {}};
  answer.messages.assign(messages.begin(), messages.end());
  for (const auto& [name, value] : headers) answer.headers.emplace_back(name, value);
  for (const auto& [name, value] : trailers) answer.trailers.emplace_back(name, value);
  return answer;
}

void bind_method_answer(py::module_& module) {
  py::class_<MethodAnswer>(module, "MethodAnswer", "What became of one call of any method.")
      .def(py::init(&made), py::arg("code"), py::arg("error"), py::arg("messages"),
           py::arg("headers"), py::arg("trailers"), "code: gRPC's, 0 = OK.")
      .def_property_readonly(
          "status", [](const MethodAnswer& answer) { return to_string(answer.status.code); },
          "\"OK\", \"UNIMPLEMENTED\", ...")
      .def_property_readonly(
          "error", [](const MethodAnswer& answer) { return answer.status.message; },
          "The server's words where it is not OK, or ours.")
      .def_property_readonly(
          "messages",
          [](const MethodAnswer& answer) {
            return std::vector<py::bytes>(answer.messages.begin(), answer.messages.end());
          },
          "Each as it came: protobuf's bytes, or whatever the method gives.")
      .def_property_readonly(
          "headers", [](const MethodAnswer& answer) { return shown(answer.headers); },
          "[(name, value)]: what the server said before its first message.")
      .def_property_readonly(
          "trailers", [](const MethodAnswer& answer) { return shown(answer.trailers); },
          "[(name, value)]: what it said at the end; all of it where it said nothing else.")
      .def("__repr__", [](const MethodAnswer& answer) {
        return printable("<" + std::string(to_string(answer.status.code)) + ", " +
                         std::to_string(answer.messages.size()) + " messages>");
      });
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

class LiveTrace final : public TraceHandle {
 public:
  LiveTrace(std::shared_ptr<GreetChannel> channel, std::string world)
      : channel_(std::move(channel)), world_(std::move(world)) {}

  std::span<const Event> events() const override { return channel_->events(); }
  const Symbols& symbols() const override { return channel_->symbols(); }
  std::uint64_t dropped() const override { return channel_->dropped(); }
  std::string world() const override { return world_; }

 private:
  const std::shared_ptr<GreetChannel> channel_;
  const std::string world_;
};

void bind_channels(py::module_& module) {
  using Released = py::call_guard<Unlocked>;
  using Shared = std::shared_ptr<GreetChannel>;

  py::class_<SubchannelView>(module, "SubchannelView",
                             "One subchannel: our own, or one of gRPC's as its channelz shows it.")
      .def(py::init<std::string, std::string, std::vector<std::string>>(), py::arg("address"),
           py::arg("state"), py::arg("local_addresses"))
      .def_readonly("address", &SubchannelView::address, "\"127.1.0.2:50051\"")
      .def_readonly("state", &SubchannelView::state, "\"READY\", ...")
      .def_readonly("local_addresses", &SubchannelView::local_addresses,
                    "Our end of each of its connections.")
      .def("__repr__", [](const SubchannelView& view) {
        return printable("<" + view.address + " " + view.state + ">");
      });

  py::class_<GreetChannel, Shared>(module, "GreetChannel", R"(
A channel on real connections. Use it through greetlab.Channel.)")
      .def("run", &run, py::arg("first_name"), py::arg("last_name"), py::arg("calls"),
           py::arg("concurrency"), py::arg("interval"), py::arg("timeout"),
           py::arg("wait_for_ready"), py::arg("metadata"), py::arg("key_header"), py::arg("keys"),
           py::arg("keep_results"), py::arg("seed"), R"(
Makes `calls` calls, `concurrency` at a time (or one each `interval`, where it is not 0), each with
`timeout` seconds to end. With `keys` each says in `key_header` which of so many it is, by turns.
`seed`: of an interval that is random. Raises ValueError for metadata that cannot be sent.)")
      .def("call_method", &call_method, py::arg("path"), py::arg("message"), py::arg("metadata"),
           py::arg("timeout"), py::arg("wait_for_ready"), py::arg("stream"), py::arg("most"), R"(
Calls any method, and waits for its end. Raises ValueError for a path or metadata that are none.)")
      .def(
          "wait_ready",
          [](GreetChannel& channel, bool all, double timeout) {
            return waited([&, patience = seconds(timeout)] {
              return channel.wait_ready(all, patience, signalled);
            });
          },
          py::arg("all"), py::arg("timeout"), R"(
Connects, and waits: "ready" once the channel (with `all`: every subchannel) is READY, "timeout"
after `timeout` seconds, "closed" if somebody closed it meanwhile.)")
      .def(
          "wait_for_pods",
          [](GreetChannel& channel, std::size_t pods, double timeout) {
            return waited([&, patience = seconds(timeout)] {
              return channel.wait_for_pods(pods, patience, signalled);
            });
          },
          py::arg("pods"), py::arg("timeout"), R"(
As `wait_ready`, until `pods` subchannels are READY; looks the name up again meanwhile. Raises
ValueError where the engine cannot be told to.)")
      .def_property_readonly("state",
                             [](GreetChannel& channel) {
                               const Unlocked unlocked;
                               return to_string(channel.state(false));
                             })
      .def("subchannels", &GreetChannel::subchannels, Released())
      .def(
          "tell_pod_changed",
          [](GreetChannel& channel, std::string pod, const std::vector<std::string>& addresses,
             std::string change, bool ends) {
            channel.tell_pod_changed(std::move(pod), parsed(addresses), std::move(change), ends);
          },
          py::arg("pod"), py::arg("addresses"), py::arg("change"), py::arg("ends"),
          "Puts into the trace that the cluster did this to a pod.")
      .def(
          "tell_endpoints_changed",
          [](GreetChannel& channel, std::string service, std::vector<SliceEndpoint> endpoints,
             double lag) {
            channel.tell_endpoints_changed(std::move(service), std::move(endpoints), seconds(lag));
          },
          py::arg("service"), py::arg("endpoints"), py::arg("lag"),
          "Puts into the trace that the cluster lists these as the service's endpoints; a channel "
          "that watches the service hears of it, `lag` seconds later.")
      .def(
          "tell_xds",
          [](GreetChannel& channel, std::string client, std::string step, std::string type,
             std::string version, std::string detail) {
            channel.tell_xds({std::move(client), std::move(step), std::move(type),
                              std::move(version), std::move(detail)});
          },
          py::arg("client"), py::arg("step"), py::arg("type"), py::arg("version"),
          py::arg("detail"), "Puts a message of an xDS stream into the trace.")
      .def(
          "tell_proxy",
          [](GreetChannel& channel, std::string proxy, std::string endpoint,
             std::uint32_t connections, std::uint32_t calls) {
            channel.tell_proxy({std::move(proxy), std::move(endpoint), connections, calls});
          },
          py::arg("proxy"), py::arg("endpoint"), py::arg("connections"), py::arg("calls"),
          "Puts into the trace what a proxy says of one of its endpoints.")
      .def("flush", &GreetChannel::flush, Released(),
           "Waits until what was told of the cluster stands in the trace.")
      .def(
          "trace",
          [](const Shared& channel, std::string world) {
            return std::static_pointer_cast<TraceHandle>(
                std::make_shared<LiveTrace>(channel, std::move(world)));
          },
          py::arg("world"), "What has happened so far, marked as coming from `world`.")
      .def("close", &GreetChannel::close, Released());

  module.def(
      "engines",
      [] {
        std::vector<std::pair<std::string_view, std::string_view>> shown;
        for (const Engine& one : engines()) shown.emplace_back(one.name, one.help);
        return shown;
      },
      "[(name, help)]: whose core can make the calls; the first is the usual one.");
  module.def(
      "open_channel",
      [](std::string_view engine, std::string target, std::string name, PolicyConfig policy,
         std::shared_ptr<ServiceConfig> service_config, std::string xds_bootstrap,
         const py::kwargs& given) {
        auto options = options_from<ChannelOptions>(given);
        options.target = std::move(target);
        options.name = std::move(name);
        options.policy = std::move(policy);
        options.service_config = std::move(service_config);
        options.xds_bootstrap = std::move(xds_bootstrap);
        const Unlocked unlocked;
        return open_channel(engine, std::move(options));
      },
      py::arg("engine"), py::arg("target"), py::arg("name"), py::arg("policy"),
      py::arg("service_config") = py::none(), py::arg("xds_bootstrap") = "", R"(
A channel of that engine's, with the options of `channel_options` that it is given. xds_bootstrap:
what GRPC_XDS_BOOTSTRAP_CONFIG would say; "": gRPC reads its environment.

Raises ValueError for a target, a policy or an engine that there is not, and for an option that the
engine cannot be told.)");
}

}  // namespace

void bind_live(py::module_& module) {
  bind_method_answer(module);
  bind_channels(module);
}

}  // namespace greetlab
