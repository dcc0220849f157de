// The greeting itself: who answers, and with which words.
#pragma once

#include <cstdint>
#include <string>

#include "greet.pb.h"

namespace greetlab {

/// Who this server is, as Kubernetes tells it by fieldRef. Either may be empty.
struct Pod {
  std::string name;
  std::string ip;
};

/// Writes greetings in the pod's name and counts them. Used by one thread.
class Greeter {
 public:
  explicit Greeter(Pod pod);

  /// Fills `response` with "Hello, <first> <last> from pod: name(<pod>), ip(<ip>).", the pod, the
  /// next serial, and the peer. As the article's server does, both names are always there, with one
  /// space each, also when they are empty.
  ///
  /// @param peer as gRPC gives it: "ipv4:127.0.0.1:40312".
  void greet(const greet::Greeting& greeting, const std::string& peer,
             greet::GreetingResponse& response);

 private:
  Pod pod_;
  std::string signature_;  // " from pod: name(...), ip(...)."
  std::uint64_t serial_ = 0;
};

/// "ipv4:127.0.0.1:40312" -> "127.0.0.1:40312"; "ipv6:%5B::1%5D:40312" -> "[::1]:40312".
std::string plain_peer(const std::string& peer);

}  // namespace greetlab
