// The policies: which there are, and what they are told.
#include <pybind11/stl.h>

#include "bindings.h"
#include "lb/policies/registry.h"
#include "python_policy.h"

namespace py = pybind11;

namespace greetlab {

void bind_policy(py::module_& module) {
  using namespace py::literals;

  py::class_<PolicyConfig>(module, "PolicyConfig", R"(
Which policy, and what it is told: an entry of a service config's loadBalancingConfig.

policy: its name, as `policies` has it.
fields: numbers, by their names in a service config: {"choiceCount": 3}; a truth is 0 or 1.
child: of a parent policy; None: its default.
texts: fields that are words: {"requestHashHeader": "user-id"}.

Raises ValueError, with what there is, for a policy or a field that there is not.)")
      .def(py::init([](std::string policy, std::map<std::string, std::int64_t, std::less<>> fields,
                       const std::optional<PolicyConfig>& child,
                       std::map<std::string, std::string, std::less<>> texts) {
             PolicyConfig config{std::move(policy), std::move(fields)};
             config.texts = std::move(texts);
             if (child) config.child = std::make_shared<const PolicyConfig>(*child);
             return complete(std::move(config));
           }),
           "policy"_a, "fields"_a = std::map<std::string, std::int64_t, std::less<>>{},
           "child"_a = py::none(), "texts"_a = std::map<std::string, std::string, std::less<>>{})
      .def_readonly("policy", &PolicyConfig::policy)
      .def_readonly("fields", &PolicyConfig::fields)
      .def_readonly("texts", &PolicyConfig::texts)
      .def("__eq__", &same)
      .def_property_readonly("child",
                             [](const PolicyConfig& config) -> std::optional<PolicyConfig> {
                               if (config.child == nullptr) return std::nullopt;
                               return *config.child;
                             });
  bind_python_policy(module);

  module.def(
      "policies",
      [] {
        std::vector<std::string> names;
        for (const PolicyType& type : policies()) names.emplace_back(type.name);
        return names;
      },
      "The names of all policies.");
}

}  // namespace greetlab
