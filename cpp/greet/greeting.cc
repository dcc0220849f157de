#include "greet/greeting.h"

#include <utility>

namespace greetlab {

Greeter::Greeter(Pod pod)
    : pod_(std::move(pod)),
      signature_(" from pod: name(" + pod_.name + "), ip(" + pod_.ip + ").") {}

void Greeter::greet(const greet::Greeting& greeting, const std::string& peer,
                    greet::GreetingResponse& response) {
  std::string& result = *response.mutable_result();
  result.reserve(8 + greeting.first_name().size() + greeting.last_name().size() +
                 signature_.size());
  result.append("Hello, ").append(greeting.first_name()).append(" ");
  result.append(greeting.last_name()).append(signature_);
  response.set_pod_name(pod_.name);
  response.set_pod_ip(pod_.ip);
  response.set_serial(++serial_);
  response.set_peer(plain_peer(peer));
}

std::string plain_peer(const std::string& peer) {
  if (peer.starts_with("ipv4:")) return peer.substr(5);
  if (!peer.starts_with("ipv6:")) return peer;
  // gRPC writes a URI, so the brackets come percent-encoded.
  std::string plain = peer.substr(5);
  for (const auto& [code, sign] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}}) {
    if (const auto at = plain.find(code); at != std::string::npos) plain.replace(at, 3, sign);
  }
  return plain;
}

}  // namespace greetlab
