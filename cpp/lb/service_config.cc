#include "lb/service_config.h"

namespace greetlab {

const MethodConfig* ServiceConfig::method(std::string_view path) const {
  if (methods.empty()) return nullptr;
  if (path.starts_with('/')) path.remove_prefix(1);
  const std::size_t slash = path.rfind('/');
  const std::string_view service = path.substr(0, slash);
  const std::string_view method =
      slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  const MethodConfig* best = nullptr;
  int best_fit = 0;
  for (const MethodConfig& config : methods) {
    for (const MethodConfig::Name& name : config.names) {
      int fit = 0;
      if (name.service.empty()) {
        fit = 1;
      } else if (name.service == service) {
        fit = name.method.empty() ? 2 : name.method == method ? 3 : 0;
      }
      if (fit <= best_fit) continue;
      best = &config;
      best_fit = fit;
    }
  }
  return best;
}

}  // namespace greetlab
