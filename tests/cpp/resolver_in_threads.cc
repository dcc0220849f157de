// One resolver that many threads ask at once, some of which give up: what ThreadSanitizer has to
// find harmless.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "dns/resolver.h"

using namespace greetlab;

namespace {

struct Impatient {};

// Bound, so that nobody else answers; read by nobody, so that nobody does.
std::uint16_t silent_port() {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

}  // namespace

int main() {
  ResolverConfig config;
  config.servers = {{"127.0.0.1", silent_port()}};
  config.timeout = std::chrono::milliseconds(40);
  config.attempts = 1;
  std::atomic<int> ended{0};
  int asked = 0;
  for (int round = 0; round < 10; ++round) {
    DnsResolver resolver(config);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i, asked += 4) {
      callers.emplace_back([&] {
        for (int n = 0; n < 3; ++n) {
          const Lookup waited = resolver.lookup("greetserver.", {RecordType::aaaa});
          if (waited.status == DnsStatus::timeout) ++ended;
        }
        try {
          resolver.lookup("greetserver.", {RecordType::a}, [] { throw Impatient{}; });
        } catch (const Impatient&) {
          ++ended;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  std::printf("%d of %d lookups have ended\n", ended.load(), asked);
  return ended == asked ? 0 : 1;
}
