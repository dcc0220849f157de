#include "python_policy.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "lb/policies/endpoint_list.h"
#include "lb/policies/in_flight.h"

namespace py = pybind11;

namespace greetlab {
namespace {

/// What Python chooses from.
struct ReadySubchannel {
  /// Whose it is, by a number that no other picker ever has: that picker may be gone, and another
  /// one may lie where it was.
  std::uint64_t picker;
  std::size_t index;
  std::string address;
  std::uint32_t number;
  std::shared_ptr<InFlight> in_flight;
};

/// An object of Python's that may be let go of by whichever thread.
std::shared_ptr<py::object> shared(py::object object) {
  return {new py::object(std::move(object)), [](py::object* held) {
            if (Py_IsInitialized() == 0) return;  // Python has ended, and its objects with it
            const py::gil_scoped_acquire gil;
            delete held;
          }};
}

/// What is wrong, as Python says it: "ValueError: too many".
std::string words_of(py::error_already_set& error) {
  // Ctrl-C belongs to whoever waits for the call, and comes again there.
  if (error.matches(PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();
  const auto type = error.type().attr("__name__").cast<std::string>();
  try {
    return type + ": " + py::str(error.value()).cast<std::string>();
  } catch (const std::exception&) {  // its __str__ raises, too
    return type;
  }
}

class PythonPicker final : public Picker {
 public:
  PythonPicker(std::shared_ptr<py::object> policy, const std::string& name,
               std::vector<Subchannel*> ready, std::vector<ReadySubchannel> shown)
      : policy_(std::move(policy)), name_(name), ready_(std::move(ready)) {
    const py::gil_scoped_acquire gil;
    py::tuple choices(shown.size());
    for (std::size_t i = 0; i < shown.size(); ++i) {
      shown[i].picker = serial_;
      choices[i] = py::cast(std::move(shown[i]));
    }
    choices_ = shared(std::move(choices));
  }

  Pick pick(const PickArgs& args) override {
    const py::gil_scoped_acquire gil;
    try {
      const py::object chosen =
          policy_->attr("pick")(*choices_, static_cast<std::uint32_t>(args.call));
      if (chosen.is_none()) return PickWait{};
      if (!py::isinstance<ReadySubchannel>(chosen)) {
        return fail("returned " + py::repr(chosen).cast<std::string>() +
                    ": it is to return one of `ready`, or None");
      }
      auto& choice = chosen.cast<ReadySubchannel&>();
      if (choice.picker != serial_) {
        return fail("returned " + choice.address + " of an earlier list: it may be gone by now");
      }
      ++choice.in_flight->calls;
      return PickTo{ready_[choice.index], choice.in_flight};
    } catch (py::error_already_set& error) {
      return fail("raised " + words_of(error));
    } catch (const std::exception& error) {
      return fail(std::string("cannot be used: ") + error.what());
    }
  }
  std::string_view name() const override { return name_; }
  std::uint32_t ready() const override { return static_cast<std::uint32_t>(ready_.size()); }

 private:
  // Whatever the call wants: a bug is not to be waited out.
  Pick fail(const std::string& what) const {
    return PickDrop{{Code::internal, name_ + ".pick " + what}};
  }

  static std::uint64_t next_serial() {
    static std::atomic<std::uint64_t> made{0};
    return ++made;
  }

  const std::uint64_t serial_ = next_serial();
  const std::shared_ptr<py::object> policy_;
  const std::string name_;
  const std::vector<Subchannel*> ready_;
  std::shared_ptr<py::object> choices_;
};

class PythonPolicy final : public EndpointListPolicy {
 public:
  PythonPolicy(PolicyHelper& helper, Clock& clock, const py::object& factory, std::string name)
      : EndpointListPolicy(helper, clock), name_(std::move(name)) {
    const py::gil_scoped_acquire gil;
    try {
      policy_ = shared(factory());
    } catch (py::error_already_set& error) {
      failure_ = {Code::internal, name_ + "() raised " + words_of(error)};
    }
  }

 private:
  std::unique_ptr<Picker> make_picker(std::vector<Subchannel*> ready) override {
    if (!failure_.ok()) return std::make_unique<FailPicker>(failure_);
    const auto counts = in_flight_.of(ready);
    std::vector<ReadySubchannel> shown;
    for (std::size_t i = 0; i < ready.size(); ++i) {
      shown.push_back({0, i, to_string(ready[i]->address()),
                       static_cast<std::uint32_t>(ready[i]->id()), counts[i]});
    }
    return std::make_unique<PythonPicker>(policy_, name_, std::move(ready), std::move(shown));
  }

  const std::string name_;
  std::shared_ptr<py::object> policy_;
  Status failure_;
  InFlightCounts in_flight_;
};

}  // namespace

PolicyConfig python_policy(py::object factory, std::string name) {
  PolicyConfig config{name};
  config.make = [held = shared(std::move(factory)), name](const PolicyConfig&, PolicyHelper& helper,
                                                          Clock& clock) {
    return std::make_unique<PythonPolicy>(helper, clock, *held, name);
  };
  return config;
}

void bind_python_policy(py::module_& module) {
  using namespace py::literals;

  py::class_<ReadySubchannel>(module, "ReadySubchannel", R"(
A READY connection that a policy may choose.)")
      .def_readonly("address", &ReadySubchannel::address, "Where to: \"10.244.0.2:50051\".")
      .def_readonly("number", &ReadySubchannel::number,
                    "The subchannel's number in the trace: the same in the next list.")
      .def_property_readonly(
          "in_flight", [](const ReadySubchannel& self) { return self.in_flight->calls; },
          "How many calls this client has on it now.")
      .def("__repr__", [](const ReadySubchannel& self) {
        return printable("<" + self.address + ", " + std::to_string(self.in_flight->calls) +
                         " in flight>");
      });
  module.def("python_policy", &python_policy, "factory"_a, "name"_a,
             "A policy of the learner's own, from a class; see greetlab.Policy.");
}

}  // namespace greetlab
