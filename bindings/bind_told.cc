#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "bindings.h"
#include "channel/answer.h"
#include "channel/credentials.h"
#include "channel/method_call.h"
#include "core/printable.h"
#include "options.h"
#include "oracle/call_recorder.h"
#include "trace_handle.h"

namespace py = pybind11;

namespace greetlab {
namespace {

Time at(std::int64_t ns) {
  return Time(Duration(ns));
}

// How a call ended. One whose answer is no greeting has failed, in grpcio's words.
struct Ended {
  Ended(int number, const std::string& response, std::string words)
      : code(code_of(number)), message(std::move(words)) {
    if (code == Code::ok && !greeting.ParseFromString(response)) {
      greeting.Clear();
      code = Code::internal;
      message = "Exception deserializing response!";
    }
  }

  Code code;
  std::string message;
  greet::GreetingResponse greeting;
};

// What another process tells of its calls, written down by one thread or several.
class ToldCalls {
 public:
  ToldCalls(const std::string& who, std::size_t capacity) : recorder_(who, capacity, nullptr) {}

  void started(std::uint64_t call, std::int64_t ns, bool wait_for_ready) {
    begun_[call] = recorder_.started(at(ns), wait_for_ready);
  }

  void ended(std::uint64_t call, std::int64_t ns, int code, const py::bytes& response,
             const std::string& message) {
    const auto found = begun_.find(call);
    if (found == begun_.end()) return;
    const Ended call_end(code, response, message);
    const AnsweringPod by = answering_pod(call_end.greeting);
    recorder_.ended(at(ns), found->second, call_end.code, by.name.empty() ? by.ip : by.name,
                    call_end.greeting.peer(), call_end.message);
    begun_.erase(found);
  }

  CallRecorder& recorder() { return recorder_; }

 private:
  CallRecorder recorder_;
  std::unordered_map<std::uint64_t, CallRecorder::Begun> begun_;  // by Python's lock
};

class ToldTrace final : public TraceHandle {
 public:
  ToldTrace(std::shared_ptr<ToldCalls> calls, std::string world)
      : calls_(std::move(calls)), world_(std::move(world)) {}

  std::span<const Event> events() const override { return calls_->recorder().events(); }
  const Symbols& symbols() const override { return calls_->recorder().symbols(); }
  std::uint64_t dropped() const override { return calls_->recorder().dropped(); }
  std::string world() const override { return world_; }

 private:
  const std::shared_ptr<ToldCalls> calls_;
  const std::string world_;
};

// (started, ended, code, response, message)
using Row = std::tuple<std::int64_t, std::int64_t, int, py::bytes, std::string>;

CallLog call_log(const std::vector<Row>& rows, bool keep_results, bool own_connections) {
  CallLog log(rows.size());
  if (keep_results) log.keep_results();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto& [started, ended, code, response, message] = rows[row];
    log.started(row, started);
    const Ended end(code, response, message);
    if (end.code != Code::ok) {
      log.failed(row, ended, static_cast<int>(end.code), end.message);
      continue;
    }
    log_answer(log, row, ended, end.greeting, [&](std::int32_t pod, std::string_view peer) {
      if (peer.empty()) return -1;
      return own_connections ? log.add_connection(pod, peer) : log.connection_row(pod, peer);
    });
  }
  return log;
}

py::bytes greeting_request(const std::string& first_name, const std::string& last_name) {
  greet::GreetingRequest request;
  request.mutable_greeting()->set_first_name(first_name);
  request.mutable_greeting()->set_last_name(last_name);
  return request.SerializeAsString();
}

}  // namespace

void bind_told(py::module_& module) {
  py::class_<ToldCalls, std::shared_ptr<ToldCalls>>(module, "ToldCalls", R"(
The trace of calls that another process makes and tells of: that they began, and how they ended.

name: whose they are. capacity: how many events are kept.)")
      .def(py::init<std::string, std::size_t>(), py::arg("name"), py::arg("capacity"))
      .def("started", &ToldCalls::started, py::arg("call"), py::arg("at_ns"),
           py::arg("wait_for_ready"),
           "call: any number that no other call has which goes on. at_ns: CLOCK_MONOTONIC.")
      .def("ended", &ToldCalls::ended, py::arg("call"), py::arg("at_ns"), py::arg("code"),
           py::arg("response"), py::arg("message"),
           "code: gRPC's, 0 = OK. response: a GreetingResponse, which tells the pod.")
      .def(
          "tell_xds",
          [](ToldCalls& calls, std::string client, std::string step, std::string type,
             std::string version, std::string detail) {
            calls.recorder().told(XdsSaid{std::move(client), std::move(step), std::move(type),
                                          std::move(version), std::move(detail)});
          },
          py::arg("client"), py::arg("step"), py::arg("type"), py::arg("version"),
          py::arg("detail"), "Puts a message of an xDS stream into the trace.")
      .def(
          "tell_proxy",
          [](ToldCalls& calls, std::string proxy, std::string endpoint, std::uint32_t connections,
             std::uint32_t sent) {
            calls.recorder().told(
                ProxySaid{std::move(proxy), std::move(endpoint), connections, sent});
          },
          py::arg("proxy"), py::arg("endpoint"), py::arg("connections"), py::arg("calls"),
          "Puts into the trace what a proxy says of one of its endpoints.")
      .def(
          "trace",
          [](const std::shared_ptr<ToldCalls>& calls, std::string world) {
            return std::static_pointer_cast<TraceHandle>(
                std::make_shared<ToldTrace>(calls, std::move(world)));
          },
          py::arg("world"), "What has been told so far, marked as coming from `world`.");

  module.def("call_log", &call_log, py::arg("rows"), py::arg("keep_results"),
             py::arg("own_connections"), R"(
The log of calls: (started_ns, ended_ns, code, response, message) of each, in the order of their
starts; response: a GreetingResponse. own_connections: each call had a connection of its own.)");
  module.def(
      "check_method",
      [](std::string path, const std::vector<std::pair<std::string, py::bytes>>& metadata) {
        MethodRequest request;
        request.path = std::move(path);
        for (const auto& [name, value] : metadata) request.metadata.emplace_back(name, value);
        sendable(std::move(request));
      },
      py::arg("path"), py::arg("metadata"),
      "Raises ValueError for a path or metadata that cannot be sent.");
  module.def(
      "draws",
      [](const py::object& time, std::size_t count, std::uint64_t seed) {
        const Distribution drawn = distribution(time);
        Rng rng(seed);
        std::vector<std::int64_t> all(drawn.is_zero() ? 0 : count);
        for (std::int64_t& one : all) one = drawn.draw(rng).count();
        return all;
      },
      py::arg("time"), py::arg("count"), py::arg("seed"),
      "So many draws of a time that may be random, in nanoseconds; none where it is always 0.");
  module.def("greeting_request", &greeting_request, py::arg("first_name"), py::arg("last_name"),
             "A GreetingRequest, in protobuf's bytes.");
  module.def(
      "read_credentials",
      [](bool on, std::string ca, std::string cert, std::string key) {
        const Credentials read = read_credentials({on, ca, cert, key, ""});
        return std::tuple(py::bytes(read.ca), py::bytes(read.cert), py::bytes(read.key));
      },
      py::arg("tls"), py::arg("ca"), py::arg("cert"), py::arg("key"), R"(
What the files that a channel's TLS options name have in them: (ca, cert, key), empty for none.

Raises ValueError for a file that cannot be read, and for options that do not go together.)");
}

}  // namespace greetlab
