#include "channel/answer.h"

namespace greetlab {
namespace {

AnsweringPod pod_in_words(std::string_view result) {
  static constexpr std::string_view kName = " from pod: name(";
  static constexpr std::string_view kIp = "), ip(";
  const auto name = result.rfind(kName);
  const auto ip = result.rfind(kIp);
  if (name == std::string_view::npos || ip == std::string_view::npos || ip < name ||
      !result.ends_with(").")) {
    return {};
  }
  const auto after_name = name + kName.size();
  const auto after_ip = ip + kIp.size();
  return {result.substr(after_name, ip - after_name),
          result.substr(after_ip, result.size() - 2 - after_ip)};
}

}  // namespace

AnsweringPod answering_pod(const greet::GreetingResponse& response) {
  if (response.pod_name().empty() && response.pod_ip().empty()) {
    return pod_in_words(response.result());
  }
  return {response.pod_name(), response.pod_ip()};
}

}  // namespace greetlab
