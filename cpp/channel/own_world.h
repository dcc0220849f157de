// Where this process runs.
#pragma once

#include <cstdlib>

namespace greetlab {

/// What a trace says of where it was made: "KUBE" in a pod, where Kubernetes sets this variable.
inline const char* own_world() {
  return std::getenv("KUBERNETES_SERVICE_HOST") != nullptr ? "KUBE" : "LOCAL";
}

}  // namespace greetlab
