#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "bindings.h"
#include "config/txt_config.h"
#include "core/rolling_update.h"
#include "lb/subchannel.h"
#include "load_config.h"
#include "options.h"
#include "sim/load.h"
#include "trace_handle.h"
#include "turn.h"
#include "waiting.h"

namespace py = pybind11;

namespace greetlab {
namespace {

using World = OneAtATime<SimCluster>;

class SimTrace final : public TraceHandle {
 public:
  explicit SimTrace(std::shared_ptr<SimCluster> cluster) : cluster_(std::move(cluster)) {}

  std::span<const Event> events() const override {
    const Recording* recording = cluster_->recording();
    return recording ? recording->events() : std::span<const Event>{};
  }
  const Symbols& symbols() const override { return cluster_->trace().symbols(); }
  std::uint64_t dropped() const override {
    return cluster_->recording() ? cluster_->recording()->dropped() : 0;
  }
  std::string world() const override { return "SIM"; }

 private:
  std::shared_ptr<SimCluster> cluster_;
};

// A client of the virtual cluster; nullptr once closed.
struct SimChannel {
  std::shared_ptr<World> cluster;
  Channel* channel;
  ChannelOptions options;

  Channel& open() const {
    if (channel == nullptr) throw std::invalid_argument("this channel is closed; open another one");
    return *channel;
  }
};

// A load of a virtual client's. The world outlives it.
struct SimLoad {
  std::shared_ptr<World> world;
  std::shared_ptr<Load> load;
  std::function<void()> on_cancel = {};  // somebody takes notes
};

void read_txt_config(const std::vector<std::string>& records, std::uint32_t percentile,
                     Resolution& into) {
  TxtConfig chosen = choose_config(records, {"client", percentile});
  into.config = std::move(chosen.config);
  into.config_status = std::move(chosen.status);
}

Time at(std::int64_t nanoseconds) {
  return Time(Duration(nanoseconds));
}

// Steps while `more()`, without the GIL, with an ear for Ctrl-C.
template <class More>
void step_while(SimCluster& cluster, const More& more) {
  bool interrupted = false;
  {
    const Unlocked unlocked;
    for (std::uint64_t steps = 0; more() && cluster.clock().step(); ++steps) {
      if (steps % 4096 == 4095 && (interrupted = signalled())) break;
    }
  }
  if (interrupted) throw py::error_already_set();
}

std::vector<std::string> ips_of(const std::vector<Address>& addresses) {
  std::vector<std::string> ips;
  for (const Address& address : addresses) ips.push_back(address.ip);
  return ips;
}

std::string_view state_of(const SimPod& pod) {
  switch (pod.state) {
    case PodState::starting: return "starting";
    case PodState::serving: return "serving";
    case PodState::draining: return "draining";
    case PodState::dead: return "dead";
    case PodState::lost: return "lost";
  }
  return "unknown";
}

void bind_channel(py::module_& module) {
  py::class_<SimLoad>(module, "SimLoad", "A simulated client's calls.")
      .def_property_readonly("done", [](const SimLoad& self) { return self.load->done(); })
      .def_property_readonly(
          "ended", [](const SimLoad& self) { return self.load->ended(); },
          "How many calls have ended by now.")
      .def(
          "cancel",
          [](const SimLoad& self) {
            const Turn turn(*self.world);
            if (self.on_cancel) self.on_cancel();
            self.load->cancel();
          },
          "Gives up what is in flight and what was not started.")
      .def(
          "stop",
          [](const SimLoad& self) {
            const Turn turn(*self.world);
            self.load->stop();
          },
          "Starts no more of them; what is in flight goes on.")
      .def_readwrite("on_cancel", &SimLoad::on_cancel, "Called before it is given up.")
      .def_property_readonly(
          "log",
          [](const SimLoad& self) -> const CallLog& {
            const Turn turn(*self.world);
            return self.load->log();
          },
          py::return_value_policy::reference_internal, "What became of each call: a CallLog.");

  py::class_<SimChannel>(module, "SimChannel", "A client of a virtual cluster.")
      .def_property_readonly("name",
                             [](const SimChannel& self) {
                               return self.cluster->trace().symbols().word(self.open().who());
                             })
      .def_property_readonly("state",
                             [](const SimChannel& self) {
                               return self.channel ? to_string(self.channel->state()) : "SHUTDOWN";
                             })
      .def_property_readonly("subchannels",
                             [](const SimChannel& self) {
                               std::vector<std::pair<std::string, std::string>> shown;
                               const Turn turn(*self.cluster);
                               if (self.channel == nullptr) return shown;
                               for (const auto& subchannel : self.channel->subchannels()) {
                                 shown.emplace_back(to_string(subchannel->address()),
                                                    to_string(subchannel->state()));
                               }
                               return shown;
                             })
      .def(
          "connect",
          [](const SimChannel& self) {
            const Turn turn(*self.cluster);
            self.open().connect();
          },
          "Leaves IDLE, as a call would.")
      .def(
          "look_again",
          [](const SimChannel& self) {
            const Turn turn(*self.cluster);
            self.open().look_again();
          },
          "Asks the resolver for newer addresses.")
      .def(
          "start_load",
          [](const SimChannel& self, std::size_t calls, std::size_t concurrency,
             const py::object& interval, double timeout, bool wait_for_ready,
             const BytesMetadata& metadata, std::string key_header, std::size_t keys) {
            const Turn turn(*self.cluster);
            std::optional<ChannelOptions> dial_anew;
            if (self.options.connection_per_call) dial_anew = self.options;
            return SimLoad{self.cluster, start_load(*self.cluster, self.open(),
                                                    load_config(calls, concurrency, interval,
                                                                timeout, wait_for_ready, metadata,
                                                                std::move(key_header), keys),
                                                    dial_anew)};
          },
          py::arg("calls"), py::arg("concurrency"), py::arg("interval"), py::arg("timeout"),
          py::arg("wait_for_ready"), py::arg("metadata"), py::arg("key_header"), py::arg("keys"),
          "Starts calls, which go on while the world's time does. Raises ValueError for metadata "
          "that cannot be sent.")
      .def("close", [](SimChannel& self) {
        const Turn turn(*self.cluster);
        if (self.channel) self.cluster->close_channel(*std::exchange(self.channel, nullptr));
      });
}

}  // namespace

void bind_sim(py::module_& module) {
  bind_channel(module);

  module.def(
      "rolling_step",
      [](std::uint32_t replicas, std::uint32_t max_surge, std::uint32_t max_unavailable,
         const std::vector<std::pair<bool, bool>>& pods) {
        std::vector<RollingPod> seen;
        for (const auto& [is_new, ready] : pods) seen.push_back({is_new, ready});
        RollingStep step = next_step({replicas, max_surge, max_unavailable}, seen);
        return std::pair(step.add, std::move(step.drain));
      },
      py::arg("replicas"), py::arg("max_surge"), py::arg("max_unavailable"), py::arg("pods"),
      "What a Deployment does next: (how many new pods, which of the given ones to drain). `pods`: "
      "(is it new, is it ready) of each.");

  module.def(
      "sim_options", &options_list<SimConfig>,
      "[(name, default, help)] of what a virtual cluster can be told; durations in seconds.");

  py::class_<World, std::shared_ptr<World>>(module, "SimCluster", R"(
The virtual cluster. Use it through greetlab.Cluster.sim(). Durations are seconds.)")
      .def(py::init([](const py::kwargs& options) {
        return std::make_shared<World>(options_from<SimConfig>(options), read_txt_config);
      }))
      .def_property_readonly(
          "now_ns", [](World& self) { return self.clock().now().time_since_epoch().count(); })
      .def_property_readonly("next_ns",
                             in_turn(+[](SimCluster& self) -> std::optional<std::int64_t> {
                               const Time next = self.clock().next();
                               if (next == kNever) return std::nullopt;
                               return next.time_since_epoch().count();
                             }),
                             "When the next thing happens; None if nothing ever will.")
      .def_property_readonly(
          "steps", [](World& self) { return self.clock().steps(); },
          "How many tasks the clock has run.")
      .def_property_readonly(
          "queries", [](World& self) { return self.dns().queries(); },
          "DNS questions answered, ever.")
      .def_property_readonly(
          "connections_opened", [](World& self) { return self.network().opened(); },
          "Connections that the pods accepted, ever.")
      .def_property_readonly("cluster_ips",
                             [](const World& self) { return ips_of(self.cluster_ips()); })
      .def_property_readonly(
          "pods", in_turn(+[](SimCluster& self) {
            using Shown =
                std::tuple<std::string, std::string, std::string, bool, std::vector<std::string>>;
            std::vector<Shown> shown;
            for (const SimPod& pod : self.pods()) {
              shown.emplace_back(pod.name, pod.addresses.front().ip, std::string(state_of(pod)),
                                 pod.listed, ips_of(pod.addresses));
            }
            return shown;
          }),
          "(name, ip, state, listed, ips) of each.")
      .def("step", in_turn(+[](SimCluster& self) { return self.clock().step(); }),
           "Jumps to whatever happens next; false if nothing does.")
      .def("run_until", in_turn(+[](SimCluster& self, std::int64_t until_ns) {
             step_while(self, [&] { return self.clock().next() <= at(until_ns); });
             self.clock().run_until(at(until_ns));
           }),
           py::arg("until_ns"))
      .def("run_load", in_turn(+[](SimCluster& self, const SimLoad& load) {
             if (load.world.get() != &self) throw std::invalid_argument("a load of another world");
             step_while(self, [&] { return !load.load->done(); });
           }),
           py::arg("load"), "Lets time pass until every call of the load has ended.")
      .def(
          "change",
          [](const std::shared_ptr<World>& self, const py::kwargs& given) {
            const Turn turn(*self);
            self->change(options_from<SimConfig>(given, self->config()));
          },
          "Options from now on; which of them can change: `can_change`.")
      .def_static("can_change", &SimCluster::can_change, py::arg("option"))
      .def("scale", in_turn<SimCluster>(&SimCluster::scale), py::arg("pods"))
      .def("kill", in_turn<SimCluster>(&SimCluster::kill), py::arg("pod"))
      .def("lose", in_turn<SimCluster>(&SimCluster::lose), py::arg("pod"))
      .def("restart", in_turn<SimCluster>(&SimCluster::restart), py::arg("pod"))
      .def("drain", in_turn<SimCluster>(&SimCluster::drain), py::arg("pod"))
      .def("rollout", in_turn<SimCluster>(&SimCluster::rollout), py::arg("max_surge"),
           py::arg("max_unavailable"))
      .def_property_readonly(
          "rolling", [](const World& self) { return self.rolling(); },
          "Whether a rollout is under way.")
      .def("slow", in_turn(+[](SimCluster& self, std::string_view pod, const py::object& longer) {
             self.slow(pod, distribution(longer));
           }),
           py::arg("pod"), py::arg("longer"))
      .def("fail",
           in_turn(+[](SimCluster& self, std::string_view pod, double rate, const std::string& code,
                       std::optional<double> pushback) {
             self.fail(pod, failing_from(rate, code, pushback));
           }),
           py::arg("pod"), py::arg("rate"), py::arg("code"), py::arg("pushback"))
      .def("publish_config", in_turn<SimCluster>(&SimCluster::publish_config), py::arg("record"),
           "The DNS has this TXT record for the services' configs; empty: none.")
      .def("set_serving", in_turn<SimCluster>(&SimCluster::set_serving), py::arg("pod"),
           py::arg("serving"))
      .def(
          "open_channel",
          [](const std::shared_ptr<World>& self, std::string service, PolicyConfig policy,
             std::shared_ptr<ServiceConfig> service_config, const py::kwargs& given) {
            const Turn turn(*self);
            auto options = options_from<ChannelOptions>(given);
            options.target = std::move(service);
            options.policy = std::move(policy);
            options.service_config = std::move(service_config);
            return SimChannel{self, &self->open_channel(options), options};
          },
          py::arg("service"), py::arg("policy"), py::arg("service_config") = py::none(),
          "The other options: see `channel_options`.")
      .def("lookup", in_turn(+[](SimCluster& self, std::string_view name) {
             std::optional<Lookup> found;
             const auto alive = std::make_shared<const int>();
             self.dns().lookup(name, false, self.trace().symbol("resolver"), EventId::none, alive,
                               [&](const Lookup& lookup, EventId) { found = lookup; });
             step_while(self, [&] { return !found; });
             return *found;
           }),
           py::arg("name"), "Looks a name up as a pod would. Takes its (virtual) time.")
      .def_property_readonly("trace", [](const std::shared_ptr<World>& self) {
        return std::static_pointer_cast<TraceHandle>(std::make_shared<SimTrace>(self));
      });
}

}  // namespace greetlab
