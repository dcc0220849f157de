#include "kube/kube_service.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace greetlab {
namespace {

bool is_label(std::string_view text) {
  constexpr std::size_t kLongest = 63;
  const auto is_letter = [](char c) {
    return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= kLongest && !text.starts_with('-') &&
         !text.ends_with('-') && std::ranges::all_of(text, is_letter);
}

std::string label(std::string_view what, std::string_view text) {
  if (is_label(text)) return std::string(text);
  throw std::invalid_argument("'" + std::string(text) + "' is no name of a " + std::string(what) +
                              ": small letters, digits and '-'");
}

KubePort parse_port(std::string_view text) {
  KubePort port{std::string(text), std::nullopt};
  if (text.empty()) throw std::invalid_argument("no port after ':'");
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) {
    port.text = label("port", text);
  } else if (error != std::errc() || number < 1 || number > 65535) {
    throw std::invalid_argument("port " + port.text + ": 1 to 65535, or its name");
  } else {
    port.number = static_cast<std::uint16_t>(number);
  }
  return port;
}

}  // namespace

KubeService parse_kube_service(std::string_view text) {
  KubeService service;
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    service.port = parse_port(text.substr(colon + 1));
    text = text.substr(0, colon);
  }
  const auto dot = text.find('.');
  service.name = label("service", text.substr(0, dot));
  if (dot == std::string_view::npos) return service;
  text = text.substr(dot + 1);
  const auto next = text.find('.');
  service.name_space = label("namespace", text.substr(0, next));
  if (next == std::string_view::npos) return service;
  const std::string_view rest = text.substr(next + 1);
  if (rest != "svc" && !rest.starts_with("svc.")) {
    throw std::invalid_argument("'." + std::string(rest) +
                                "' after the namespace: service.namespace, or "
                                "service.namespace.svc and the cluster's domain");
  }
  return service;
}

}  // namespace greetlab
