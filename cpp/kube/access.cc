#include "kube/access.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "core/address.h"
#include "core/text_file.h"

namespace greetlab {
namespace {

const std::string kAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

KubeAccess of_this_pod(const std::string& host, const std::string& port) {
  KubeAccess access;
  try {
    access.ca = read_text_file(kAccount + "ca.crt");
    access.name_space = trimmed(read_text_file(kAccount + "namespace"));
    access.token_file = kAccount + "token";
    access.bearer();
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(
        std::string(error.what()) +
        ": this pod has no account to ask the Kubernetes API with; does it say "
        "automountServiceAccountToken: false?");
  }
  // Braces round an IPv6 one are not in the variable.
  const bool v6 = host.find(':') != std::string::npos;
  const Address address = parse_address((v6 ? '[' + host + ']' : host) + ':' + port);
  access.host = access.server_name = address.ip;
  access.port = address.port;
  return access;
}

}  // namespace

std::string KubeAccess::name() const {
  return (tls ? "https://" : "http://") + to_string(Address{host, port}) + prefix;
}

std::string KubeAccess::bearer() const {
  return token_file.empty() ? token : trimmed(read_text_file(token_file));
}

KubeAccess find_kube_access(const std::string& kubeconfig) {
  if (!kubeconfig.empty()) return read_kubeconfig(kubeconfig);
  if (const std::string paths = variable("KUBECONFIG"); !paths.empty()) {
    return read_kubeconfig(paths);
  }
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  const std::string port = variable("KUBERNETES_SERVICE_PORT");
  if (!host.empty() && !port.empty()) return of_this_pod(host, port);
  const std::string own = variable("HOME") + "/.kube/config";
  if (std::filesystem::exists(own)) return read_kubeconfig(own);
  throw std::invalid_argument(
      "there is no Kubernetes API to ask: no kubeconfig was given, KUBECONFIG "
      "is not set, this is no pod (KUBERNETES_SERVICE_HOST is not set), and " +
      own + " is not there");
}

}  // namespace greetlab
