// What the peer servers share: the answer, which has the fields of greet-server's, and how they say
// where they listen and learn that they may go.
#pragma once

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "greet.pb.h"

namespace greetlab::bench {

/// What greet-server says when it is pod-1 on 127.0.0.1: as many bytes, and as much to do for them.
inline void answer(const greet::GreetingRequest& request, const std::string& peer,
                   std::uint64_t serial, greet::GreetingResponse& response) {
  std::string& result = *response.mutable_result();
  result.reserve(64);
  result.append("Hello, ").append(request.greeting().first_name()).append(" ");
  result.append(request.greeting().last_name());
  result.append(" from pod: name(pod-1), ip(127.0.0.1).");
  response.set_pod_name("pod-1");
  response.set_pod_ip("127.0.0.1");
  response.set_serial(serial);
  response.set_peer(peer.substr(peer.find(':') + 1));  // "ipv4:127.0.0.1:40312"
}

/// Makes `builder` listen on `count` free ports of `ip`; they are in `ports` once it has started.
inline void listen(grpc::ServerBuilder& builder, const std::string& ip, std::vector<int>& ports) {
  for (int& port : ports) {
    builder.AddListeningPort(ip + ":0", grpc::InsecureServerCredentials(), &port);
  }
  // Otherwise a port may be somebody else's, too.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

/// Prints "serving on IP:PORT,IP:PORT" and waits until standard input ends: the parent is gone.
/// @return the exit status: 1 if `server` does not listen on all of them.
inline int serve(const std::unique_ptr<grpc::Server>& server, const std::string& ip,
                 const std::vector<int>& ports) {
  std::string addresses;
  for (const int port : ports) {
    if (!server || port == 0) {
      std::cerr << "could not listen on " << ports.size() << " free ports of " << ip << std::endl;
      return 1;
    }
    addresses += (addresses.empty() ? "" : ",") + ip + ":" + std::to_string(port);
  }
  std::cout << "serving on " << addresses << std::endl;
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}

}  // namespace greetlab::bench
