// Which service's endpoints, and at which port: what stands behind k8s:///.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greetlab {

/// A port of the pods, as EndpointSlices have them: by its number or by its name. (The Service's
/// own port stands in no slice, where the two differ.)
struct KubePort {
  std::string text;                     ///< Empty: the only one that there is.
  std::optional<std::uint16_t> number;  ///< Where the text is one.
};

struct KubeService {
  std::string name;
  std::string name_space;  ///< Empty: the client's own.
  KubePort port;
};

/// "greetserver", "greetserver.default:50051", "greetserver.default:grpc": as kuberesolver
/// (`kubernetes:///`) has them. "greetserver.default.svc.cluster.local" is the same service.
///
/// @throws std::invalid_argument saying what is wrong with it: names are those of Kubernetes, which
/// are DNS labels (RFC 1123), and its ports' names (IANA_SVC_NAME).
KubeService parse_kube_service(std::string_view text);

}  // namespace greetlab
