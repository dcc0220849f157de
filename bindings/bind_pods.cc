// How a pod serves, in every world.
#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "bindings.h"
#include "core/pod_options.h"
#include "options.h"

namespace py = pybind11;

namespace greetlab {

void bind_pods(py::module_& module) {
  module.def("pod_options", &options_list<PodOptions>,
             "[(name, default, help)] of how a pod serves; times in seconds.");
  module.def(
      "pod_flags",
      [](const py::kwargs& given) {
        const auto options = options_from<PodOptions>(given);
        options.check();
        std::vector<std::string> flags;
        PodOptions::each(options,
                         [&]<class Value>(std::string name, const Value& value, const char*) {
                           if (!given.contains(name)) return;
                           std::ranges::replace(name, '_', '-');
                           if constexpr (std::is_same_v<Value, Distribution>) {
                             flags.insert(flags.end(), {"--" + name, value.text()});
                           } else if constexpr (std::is_same_v<Value, bool>) {
                             if (value) flags.push_back("--" + name);
                           } else if (value) {
                             flags.insert(flags.end(), {"--" + name, std::to_string(*value)});
                           }
                         });
        return flags;
      },
      "How greet-server is told of these options.");
}

}  // namespace greetlab
