#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include "core/base64.h"
#include "core/text_file.h"
#include "kube/access.h"

namespace greetlab {
namespace {

// An entry of one of the files, and where that is: other files' names are relative to it.
struct Entry {
  YAML::Node node;
  std::string file;

  [[noreturn]] void fail(const std::string& why) const {
    throw std::invalid_argument("kubeconfig " + file + ": " + why);
  }

  std::string text(const char* name) const {
    const YAML::Node value = node.IsMap() ? node[name] : YAML::Node();
    if (!value || value.IsNull()) return {};
    if (!value.IsScalar()) fail(std::string(name) + " is no text");
    return value.Scalar();
  }

  Entry at(const char* name) const {
    if (node.IsMap() && node[name] && node[name].IsMap()) return {node[name], file};
    return {YAML::Node(YAML::NodeType::Map), file};
  }

  std::string path(const char* name) const {
    const std::string value = text(name);
    if (value.empty()) return {};
    return std::filesystem::path(file).parent_path() / value;  // an absolute one stays
  }

  // "certificate-authority-data", or the file that "certificate-authority" names.
  std::string pem(const std::string& name) const {
    if (const std::string data = text((name + "-data").c_str()); !data.empty()) {
      const auto decoded = from_base64(data);
      if (!decoded) fail(name + "-data is no base64");
      return *decoded;
    }
    const std::string from = path(name.c_str());
    if (from.empty()) return {};
    try {
      return read_text_file(from);
    } catch (const std::runtime_error& error) {
      fail(name + ": " + error.what());
    }
  }

  void refuse(const char* name, const char* why) const {
    if (node.IsMap() && node[name]) fail(std::string(name) + " is not done here: " + why);
  }
};

std::vector<Entry> read_files(std::string_view paths) {
  std::vector<Entry> files;
  std::string why;
  while (!paths.empty()) {
    const auto colon = paths.find(':');
    const std::string file(paths.substr(0, colon));
    paths = colon == std::string_view::npos ? "" : paths.substr(colon + 1);
    if (file.empty()) continue;
    try {
      files.push_back({YAML::Load(read_text_file(file)), file});
    } catch (const YAML::Exception& error) {
      throw std::invalid_argument("kubeconfig " + file + ": " + error.what());
    } catch (const std::runtime_error& error) {
      why = error.what();
    }
  }
  if (files.empty()) {
    throw std::invalid_argument("kubeconfig: " + (why.empty() ? "no file is named" : why));
  }
  return files;
}

// The first entry of that name; what it is stands under `kind` in it.
Entry find(const std::vector<Entry>& files, const char* list, const char* kind,
           const std::string& name) {
  for (const Entry& file : files) {
    const YAML::Node all = file.node.IsMap() ? file.node[list] : YAML::Node();
    if (!all || !all.IsSequence()) continue;
    for (const YAML::Node& one : all) {
      const Entry entry{one, file.file};
      if (entry.text("name") == name) return entry.at(kind);
    }
  }
  files.front().fail(std::string("there is no ") + kind + " '" + name + "' among its " + list);
}

void read_server(const Entry& cluster, KubeAccess& access) {
  const std::string server = cluster.text("server");
  std::string_view rest = server;
  access.tls = !rest.starts_with("http://");
  const auto scheme = rest.find("://");
  if (scheme == std::string_view::npos || (access.tls && !rest.starts_with("https://"))) {
    cluster.fail("server '" + server + "': an address such as https://10.0.0.1:6443");
  }
  rest.remove_prefix(scheme + 3);
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) access.prefix = rest.substr(slash);
  while (access.prefix.ends_with('/')) access.prefix.pop_back();
  rest = rest.substr(0, slash);
  const auto colon = rest.find(':', rest.starts_with('[') ? rest.find(']') : 0);
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  access.host = host;
  access.port = access.tls ? 443 : 80;
  if (colon != std::string_view::npos) {
    const std::string_view digits = rest.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), access.port);
    if (error != std::errc() || end != digits.data() + digits.size() || access.port == 0) {
      cluster.fail("server '" + server + "': its port is none");
    }
  }
  if (access.host.empty()) cluster.fail("server '" + server + "': it names no host");
}

KubeAccess read(const std::vector<Entry>& files) {
  std::string current;
  for (const Entry& file : files) {
    if (current = file.text("current-context"); !current.empty()) break;
  }
  if (current.empty()) {
    files.front().fail("it has no current-context (kubectl config use-context NAME)");
  }
  const Entry context = find(files, "contexts", "context", current);
  const Entry cluster = find(files, "clusters", "cluster", context.text("cluster"));
  const Entry user = find(files, "users", "user", context.text("user"));

  KubeAccess access;
  read_server(cluster, access);
  cluster.refuse("proxy-url", "the API is dialled as it is");
  if (cluster.text("insecure-skip-tls-verify") == "true") {
    cluster.fail("insecure-skip-tls-verify is not done here: give certificate-authority");
  }
  access.ca = cluster.pem("certificate-authority");
  access.server_name = cluster.text("tls-server-name");
  if (access.server_name.empty()) access.server_name = access.host;

  constexpr const char* kAccount =
      "use a ServiceAccount's token (kubectl create token NAME), or a client certificate";
  for (const char* const plugin : {"exec", "auth-provider", "username"}) {
    user.refuse(plugin, kAccount);
  }
  access.cert = user.pem("client-certificate");
  access.key = user.pem("client-key");
  if (access.cert.empty() != access.key.empty()) {
    user.fail("client-certificate and client-key go together");
  }
  access.token = user.text("token");
  if (access.token.empty()) access.token_file = user.path("tokenFile");
  access.name_space = context.text("namespace");
  if (access.name_space.empty()) access.name_space = "default";
  return access;
}

}  // namespace

KubeAccess read_kubeconfig(std::string_view paths) {
  const std::vector<Entry> files = read_files(paths);
  try {
    return read(files);
  } catch (const YAML::Exception& error) {  // of a kind of node that we have not thought of
    files.front().fail(error.what());
  }
}

}  // namespace greetlab
