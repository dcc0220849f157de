// The policies on the bench, for tests: greetlab._core.PolicyBench.
#include <pybind11/stl.h>

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include "bindings.h"
#include "core/connectivity.h"
#include "lb/testing/policy_bench.h"
#include "trace_handle.h"
#include "turn.h"

namespace py = pybind11;

namespace greetlab {
namespace {

using Bench = OneAtATime<PolicyBench>;

Code checked_code(const std::string& name) {
  if (const auto code = code_named(name)) return *code;
  throw std::invalid_argument("'" + name + "' is no status code");
}

LoadReport report_of(const std::map<std::string, double>& told) {
  LoadReport report;
  for (const auto& [name, value] : told) {
    if (name == "rps") {
      report.rps = value;
    } else if (name == "eps") {
      report.eps = value;
    } else if (name == "cpu_utilization") {
      report.cpu_utilization = value;
    } else if (name == "application_utilization") {
      report.application_utilization = value;
    } else {
      throw std::invalid_argument("'" + name + "': not told of a load here");
    }
  }
  return report;
}

class BenchTrace final : public TraceHandle {
 public:
  explicit BenchTrace(std::shared_ptr<PolicyBench> bench) : bench_(std::move(bench)) {}

  std::span<const Event> events() const override { return bench_->recording().events(); }
  const Symbols& symbols() const override { return bench_->symbols(); }
  std::uint64_t dropped() const override { return bench_->recording().dropped(); }
  std::string world() const override { return "BENCH"; }

 private:
  const std::shared_ptr<PolicyBench> bench_;
};

}  // namespace

void bind_bench(py::module_& module) {
  using namespace py::literals;

  module.def(
      "subchannel_transitions",
      [] {
        std::vector<std::pair<std::string, std::string>> pairs;
        for (const auto& [from, to] : kSubchannelTransitions) {
          pairs.emplace_back(to_string(from), to_string(to));
        }
        return pairs;
      },
      "The legal transitions of a subchannel, as (from, to). SHUTDOWN may follow any and is "
      "final.");

  py::class_<Bench, std::shared_ptr<Bench>>(module, "PolicyBench", R"(
A load-balancing policy on the bench: you are its resolver, its network and its clock.

Its connections do nothing until they are told to, time stands still until `run`, and everything is
written down. An address is "ip:port" or a short name without a colon, such as "a".

policy: a name, or a PolicyConfig.
seed: of everything random.
health_service: of whose health servers are asked (gRFC A17); None: they are not.)")
      .def(py::init([](const std::variant<PolicyConfig, std::string>& policy, std::uint64_t seed,
                       std::optional<std::string> health_service) {
             const auto* name = std::get_if<std::string>(&policy);
             return std::make_shared<Bench>(
                 name ? PolicyConfig{*name} : std::get<PolicyConfig>(policy), seed,
                 std::move(health_service));
           }),
           "policy"_a = "round_robin", "seed"_a = 0, "health_service"_a = py::none())
      .def("update", in_turn<PolicyBench>(&PolicyBench::update), "addresses"_a, "error"_a = "",
           "The resolver answers: addresses (\"a+b\": two of one endpoint), or an error. Returns "
           "whether the policy can use it.")
      .def("exit_idle", in_turn<PolicyBench>(&PolicyBench::exit_idle),
           "A call comes while the channel is IDLE.")
      .def("ready", in_turn<PolicyBench>(&PolicyBench::ready), "address"_a,
           "The attempt comes off. Raises ValueError if there is none.")
      .def("fail", in_turn<PolicyBench>(&PolicyBench::fail), "address"_a,
           "reason"_a = "Connection refused",
           "The attempt fails. Raises ValueError if there is none.")
      .def("lose", in_turn<PolicyBench>(&PolicyBench::lose), "address"_a,
           "The connection breaks. Raises ValueError if there is none.")
      .def("health",
           in_turn(+[](PolicyBench& bench, const std::string& address, const std::string& status) {
             for (const Health health : {Health::unknown, Health::serving, Health::not_serving,
                                         Health::service_unknown}) {
               if (status == to_string(health)) return bench.health(address, health);
             }
             throw std::invalid_argument("'" + status + "' is no health");
           }),
           "address"_a, "status"_a,
           "The server says how it is: 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN' or 'UNKNOWN'. "
           "Raises ValueError if nobody watches its health.")
      .def("end_health",
           in_turn(+[](PolicyBench& bench, const std::string& address, const std::string& code) {
             bench.end_health(address, checked_code(code));
           }),
           "address"_a, "code"_a,
           "The stream on which its health is watched ends. Raises ValueError if there is none.")
      .def("load",
           in_turn(+[](PolicyBench& bench, const std::string& address,
                       const std::map<std::string, double>& load) {
             bench.load(address, report_of(load));
           }),
           "address"_a, "load"_a,
           "The server tells its load out of band: see `done`. Raises ValueError if nobody watches "
           "it.")
      .def("run",
           in_turn(+[](PolicyBench& bench, double duration) { bench.run(seconds(duration)); }),
           "seconds"_a, "Lets this much virtual time pass.")
      .def("step", in_turn<PolicyBench>(&PolicyBench::step),
           "Jumps to the next thing that waits for its time; False if there is none.")
      .def("connecting", in_turn<PolicyBench>(&PolicyBench::connecting),
           "The addresses that are being dialled, in the order of dialling.")
      .def("picks", in_turn<PolicyBench>(&PolicyBench::picks), "count"_a, "metadata"_a = Metadata{},
           "What the latest picker says of the next calls: an address, 'wait', or 'fail: why'. "
           "metadata: [(name, value)] of each.")
      .def("done",
           in_turn(+[](PolicyBench& bench, const std::string& address, const std::string& code,
                       const std::optional<std::map<std::string, double>>& load, bool unsent) {
             Outcome outcome{{checked_code(code), {}}, Symbol::none, unsent};
             if (load) outcome.load = std::make_shared<const LoadReport>(report_of(*load));
             bench.done(address, outcome);
           }),
           "address"_a, "code"_a = "OK", "load"_a = py::none(), "unsent"_a = false,
           "The oldest tracked call that was picked for it ends. load: what the server says of "
           "itself, of {'rps', 'eps', 'cpu_utilization', 'application_utilization'}. unsent: "
           "nothing "
           "of it left. Raises ValueError if there is none.")
      .def("script", in_turn<PolicyBench>(&PolicyBench::script),
           "What was done to it so far, a line a step.")
      .def(
          "trace",
          [](const std::shared_ptr<Bench>& bench) -> std::shared_ptr<TraceHandle> {
            return std::make_shared<BenchTrace>(bench);
          },
          "What it did: for greetlab.trace.trace.Trace.")
      .def_property_readonly("now", in_turn<PolicyBench>(&PolicyBench::now),
                             "Virtual seconds since the beginning.")
      .def_property_readonly(
          "state", [](const Bench& bench) { return to_string(bench.state()); },
          "The channel's state, as the policy published it last.")
      .def_property_readonly("failure", in_turn<PolicyBench>(&PolicyBench::failure),
                             "Why it is TRANSIENT_FAILURE; else ''.")
      .def_property_readonly("reresolutions", in_turn<PolicyBench>(&PolicyBench::reresolutions),
                             "How often it asked for newer addresses.")
      .def_property_readonly("pickers", in_turn<PolicyBench>(&PolicyBench::pickers),
                             "How many pickers it published.")
      .def_property_readonly("subchannels", in_turn<PolicyBench>(&PolicyBench::subchannels),
                             "The subchannels that there are: {address: state}.")
      .def_property_readonly("streams", in_turn<PolicyBench>(&PolicyBench::streams),
                             "Every stream beside the calls, ever: \"a: health of x\".")
      .def_property_readonly("dials", in_turn<PolicyBench>(&PolicyBench::dials),
                             "Every attempt to connect, ever: (virtual seconds, address).");
}

}  // namespace greetlab
