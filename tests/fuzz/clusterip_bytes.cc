// Any bytes, in any pieces, both ways through the ClusterIP: what goes in comes out, and no more;
// an end passes through. Each input byte is a step: who sends how much, or who ends.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <string>

#include "check.h"
#include "clusterip/proxy.h"

namespace {

using namespace greetlab;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int dial(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(port);
  CHECK(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

struct Listener {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  std::uint16_t port = 0;
  Listener() {
    sockaddr_in address = loopback(0);
    CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(listen(fd, 16) == 0);
    socklen_t size = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
};

/// One end of a connection, and what it has sent.
struct End {
  int fd;
  std::string sent{};
  bool ended = false;

  void send_bytes(std::size_t count, std::uint8_t byte) {
    if (ended) return;
    const std::string bytes(count, static_cast<char>(byte));
    CHECK(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    sent += bytes;
  }
  void end() {
    if (!ended) CHECK(shutdown(fd, SHUT_WR) == 0);
    ended = true;
  }
  std::string all() const {
    std::string got;
    char bytes[4096];
    for (ssize_t size; (size = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
      got.append(bytes, static_cast<std::size_t>(size));
    }
    return got;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 256) return 0;
  static Listener& pod = *new Listener;
  static std::promise<std::uint16_t>& listening = *new std::promise<std::uint16_t>;
  static Proxy& proxy = *new Proxy({"127.0.0.1", 0}, {{"127.0.0.1", pod.port}}, 1, std::nullopt,
                                   [](const ProxyFact& fact) {
                                     if (const auto* at = std::get_if<ProxyListening>(&fact)) {
                                       listening.set_value(at->address.port);
                                     }
                                   });
  static const std::uint16_t port = listening.get_future().get();
  (void)proxy;

  End client{dial(port)};
  End server{accept(pod.fd, nullptr, nullptr)};
  for (const std::uint8_t* step = data; step != data + size; ++step) {
    End& end = (*step & 1) ? client : server;
    const std::size_t count = (std::size_t{*step} >> 2) * ((*step & 2) ? 64 : 1);
    count == 0 ? end.end() : end.send_bytes(count, *step);
  }
  client.end();
  server.end();
  CHECK(server.all() == client.sent);
  CHECK(client.all() == server.sent);
  close(client.fd);
  close(server.fd);
  return 0;
}
