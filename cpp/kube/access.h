// Where a cluster's API server is, and as whom it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greetlab {

struct KubeAccess {
  std::string host;  ///< An IP address or a name.
  std::uint16_t port = 0;
  std::string prefix;  ///< Of every path; "" mostly.
  bool tls = true;     ///< If not, HTTP/2 is spoken all the same, without agreeing on it first.
  std::string server_name;  ///< What its certificate must say.
  std::string ca;           ///< PEM, as the next two. Empty: whom the system trusts.
  std::string cert;         ///< What we show it; empty: nothing.
  std::string key;
  std::string token;       ///< For "authorization: Bearer"; empty: none.
  std::string token_file;  ///< In place of it. Read for each request, for the kubelet changes it.
  std::string name_space;  ///< Whose services are meant where nobody says.

  /// "https://10.96.0.1:443".
  std::string name() const;
  /// @throws std::runtime_error naming the file.
  std::string bearer() const;
};

/// The first of these that there is, as most clients of Kubernetes have it:
///
/// 1. `kubeconfig`, a file's name, if it is not empty.
/// 2. The files that $KUBECONFIG names.
/// 3. A pod's own account: $KUBERNETES_SERVICE_HOST and _PORT, and the files token, ca.crt and
///    namespace in /var/run/secrets/kubernetes.io/serviceaccount
///    (kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
/// 4. ~/.kube/config.
///
/// @throws std::invalid_argument naming the file, and what is wrong with it; or that there is none
/// of these.
KubeAccess find_kube_access(const std::string& kubeconfig);

/// A kubeconfig: its `current-context`
/// (kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/). Of several
/// files the first that has a name stands; a file that is not there is passed by, unless none is.
///
/// Done: server, tls-server-name, certificate-authority, client-certificate, client-key (each as a
/// file, or `-data`), token, tokenFile, namespace. What needs more (exec and auth-provider plugins,
/// user names with passwords, proxy-url, insecure-skip-tls-verify) is refused.
///
/// @param paths "a:b", as $KUBECONFIG has them.
KubeAccess read_kubeconfig(std::string_view paths);

}  // namespace greetlab
