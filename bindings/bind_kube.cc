// A client's watch of a Kubernetes API on the bench, for tests: greetlab._core.SliceWatchBench.
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"
#include "core/virtual_clock.h"
#include "kube/access.h"
#include "kube/slice_watch.h"
#include "trace_handle.h"
#include "turn.h"

namespace py = pybind11;

namespace greetlab {
namespace {

// The API server is whoever holds it.
class SliceWatchBench : private KubeApi, private Resolver::Watcher {
 public:
  SliceWatchBench(const std::string& service, std::uint64_t seed) : rng_(seed) {
    KubeService which = parse_kube_service(service);
    if (which.name_space.empty()) which.name_space = "default";
    trace_.keep_words(kListenedWords);
    trace_.listen(&recording_);
    const Symbol who = trace_.symbol("client-1");
    const std::string name = which.name + '.' + which.name_space;
    auto watch = std::make_unique<SliceWatch>(SliceWatch::Ports{clock_, rng_, trace_, who, *this},
                                              std::move(which));
    resolver_.emplace(trace_, who, name, std::move(watch));
    resolver_->start(*this, EventId::none);
  }

  void run(double duration) { clock_.run_until(clock_.now() + seconds(duration)); }
  void answer(int code) { reader().on_answer(code); }
  void say(const std::string& bytes) { reader().on_body(bytes); }
  void end(const std::string& why) {
    reader().on_end(why.empty() ? Status{} : Status{Code::unavailable, why});
  }

  bool asked() const { return reader_ != nullptr; }
  const std::vector<std::string>& requests() const { return requests_; }
  const std::vector<std::string>& addresses() const { return addresses_; }
  const std::string& error() const { return error_; }
  std::size_t updates() const { return updates_; }
  double now() const {
    return std::chrono::duration<double>(clock_.now().time_since_epoch()).count();
  }

  const Recording& recording() const { return recording_; }
  const Symbols& symbols() const { return trace_.symbols(); }

 private:
  struct OnItsWay final : public Request {
    explicit OnItsWay(SliceWatchBench& of) : of(of) {}
    ~OnItsWay() override { of.reader_ = nullptr; }
    SliceWatchBench& of;
  };

  std::unique_ptr<Request> get(std::string path, EventId, Reader& reader) override {
    requests_.push_back(std::move(path));
    auto made = std::make_unique<OnItsWay>(*this);
    reader_ = &reader;
    return made;
  }
  std::string name() const override { return "https://10.96.0.1:443"; }

  bool on_resolution(const Resolution& answer, EventId) override {
    ++updates_;
    error_ = answer.status.message;
    if (!answer.status.ok()) return false;
    addresses_.clear();
    for (const Address& one : addresses_of(answer.endpoints)) addresses_.push_back(to_string(one));
    return true;
  }

  Reader& reader() const {
    if (reader_ == nullptr) throw std::invalid_argument("nobody asks: let time pass (run)");
    return *reader_;
  }

  VirtualClock clock_;
  Rng rng_;
  Recording recording_{kTraceCapacity};
  Trace trace_{clock_};
  Reader* reader_ = nullptr;
  std::vector<std::string> requests_;
  std::vector<std::string> addresses_;
  std::string error_;
  std::size_t updates_ = 0;
  std::optional<WatchResolver> resolver_;
};

using Bench = OneAtATime<SliceWatchBench>;

class BenchTrace final : public TraceHandle {
 public:
  explicit BenchTrace(std::shared_ptr<SliceWatchBench> bench) : bench_(std::move(bench)) {}

  std::span<const Event> events() const override { return bench_->recording().events(); }
  const Symbols& symbols() const override { return bench_->symbols(); }
  std::uint64_t dropped() const override { return bench_->recording().dropped(); }
  std::string world() const override { return "BENCH"; }

 private:
  const std::shared_ptr<SliceWatchBench> bench_;
};

}  // namespace

void bind_kube(py::module_& module) {
  using namespace py::literals;

  py::class_<Bench, std::shared_ptr<Bench>>(module, "SliceWatchBench", R"(
A watch of a service's EndpointSlices on the bench: you are its Kubernetes API, and its clock.

service: "service.namespace:port", as after "k8s:///".
seed: of everything random.)")
      .def(py::init<const std::string&, std::uint64_t>(), "service"_a, "seed"_a = 0)
      .def("run", in_turn<SliceWatchBench>(&SliceWatchBench::run), "seconds"_a,
           "Lets this much virtual time pass.")
      .def("answer", in_turn<SliceWatchBench>(&SliceWatchBench::answer), "code"_a,
           "HTTP's status of what was asked last. Raises ValueError if nothing is.")
      .def("say",
           in_turn(+[](SliceWatchBench& bench, const py::bytes& bytes) { bench.say(bytes); }),
           "bytes"_a, "A piece of its body. Raises ValueError as `answer`.")
      .def("end", in_turn<SliceWatchBench>(&SliceWatchBench::end), "why"_a = "",
           "It is over; why: it has failed. Raises ValueError as `answer`.")
      .def_property_readonly("asked", in_turn<SliceWatchBench>(&SliceWatchBench::asked),
                             "Whether a request is under way.")
      .def_property_readonly("requests", in_turn<SliceWatchBench>(&SliceWatchBench::requests),
                             "The path of every request, ever.")
      .def_property_readonly("addresses", in_turn<SliceWatchBench>(&SliceWatchBench::addresses),
                             "What the channel has.")
      .def_property_readonly("error", in_turn<SliceWatchBench>(&SliceWatchBench::error),
                             "What the channel was told last, if that is an error; else ''.")
      .def_property_readonly("updates", in_turn<SliceWatchBench>(&SliceWatchBench::updates),
                             "How often the channel was told anything.")
      .def_property_readonly("now", in_turn<SliceWatchBench>(&SliceWatchBench::now),
                             "Virtual seconds since the beginning.")
      .def(
          "trace",
          [](const std::shared_ptr<Bench>& bench) -> std::shared_ptr<TraceHandle> {
            return std::make_shared<BenchTrace>(bench);
          },
          "What it did: for greetlab.trace.trace.Trace.");

  module.def(
      "read_kubeconfig",
      [](const std::string& paths) {
        const KubeAccess access = read_kubeconfig(checked_path(paths));
        return std::map<std::string, std::string>{{"server", access.name()},
                                                  {"server_name", access.server_name},
                                                  {"namespace", access.name_space},
                                                  {"ca", access.ca},
                                                  {"cert", access.cert},
                                                  {"key", access.key},
                                                  {"token", access.bearer()}};
      },
      "paths"_a,
      "Where a kubeconfig's current context leads, and as whom. paths: \"a:b\", as $KUBECONFIG has "
      "them. Raises ValueError naming the file, and what is wrong with it.");
}

}  // namespace greetlab
