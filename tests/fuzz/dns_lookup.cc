// A DNS server that answers with any bytes: each lookup ends, in time, with a status. The first
// byte says how much of the answer is right: whether the id, and the question, are the query's own.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "dns/resolver.h"

namespace {

using namespace greetlab;
using Bytes = std::vector<std::uint8_t>;

// Answers over UDP only: who asks over TCP is refused.
class Server {
 public:
  Server() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    std::thread([this] { serve(); }).detach();  // it ends with the process
  }

  std::uint16_t port() const { return port_; }
  void answer_with(Bytes bytes) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(bytes);
  }

 private:
  void serve() {
    for (;;) {
      std::uint8_t query[512];
      sockaddr_in from{};
      socklen_t length = sizeof from;
      auto* const sender = reinterpret_cast<sockaddr*>(&from);
      const ssize_t size = recvfrom(socket_, query, sizeof query, 0, sender, &length);
      if (size < 12) continue;
      const Bytes reply = reply_to({query, query + size});
      sendto(socket_, reply.data(), reply.size(), 0, sender, length);
    }
  }

  Bytes reply_to(const Bytes& query) {
    const std::lock_guard lock(mutex_);
    if (answer_.empty()) return {};
    const std::uint8_t honest = answer_.front();
    Bytes reply(answer_.begin() + 1, answer_.end());
    if ((honest & 1) && reply.size() >= 2) std::copy_n(query.begin(), 2, reply.begin());
    if ((honest & 2) && reply.size() >= 12) {  // in place of the question that it has
      const auto end = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(query.size()), 512);
      reply.insert(reply.begin() + 12, query.begin() + 12, query.begin() + end);
    }
    return reply;
  }

  const int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  Bytes answer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server& server = *new Server;
  server.answer_with(Bytes(data, data + size));
  ResolverConfig config;
  config.servers = {{"127.0.0.1", server.port()}};
  config.search = {"svc.cluster.local"};
  config.ndots = 5;
  config.timeout = std::chrono::milliseconds(3);
  config.attempts = 1;
  DnsResolver resolver(config);
  const Lookup lookup = resolver.lookup("greetserver", {RecordType::a, RecordType::srv});
  CHECK(!describe(lookup.status).empty());
  CHECK(lookup.status != DnsStatus::ok || !lookup.queries.empty());
  CHECK(lookup.addresses.empty() || lookup.status == DnsStatus::ok);
  return 0;
}
