#include "live/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

namespace greetlab {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// Nothing for what is no IP address.
std::optional<SocketAddress> socket_address(const Address& address) {
  SocketAddress made;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&made.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&made.storage);
  if (inet_pton(AF_INET, address.ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    made.size = sizeof *v4;
    return made;
  }
  if (inet_pton(AF_INET6, address.ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    made.size = sizeof *v6;
    return made;
  }
  return std::nullopt;
}

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// A socket on its way, or errno.
std::pair<Descriptor, int> begin_to_connect(const Address& address, const std::string& source_ip) {
  std::optional<SocketAddress> to = socket_address(address);
  if (!to) return {Descriptor{}, EAFNOSUPPORT};
  Descriptor fd(socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return {Descriptor{}, errno};
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // as gRPC does
  if (!source_ip.empty()) {
    std::optional<SocketAddress> from = socket_address({source_ip, 0});
    // The port is chosen when it connects: then one port can serve connections to several peers.
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd.get(), from->get(), from->size) < 0) return {Descriptor{}, errno};
  }
  if (connect(fd.get(), to->get(), to->size) < 0 && errno != EINPROGRESS) {
    return {Descriptor{}, errno};
  }
  return {std::move(fd), 0};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = other.release();
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Sockets::Sockets(Loop& loop, const std::string& source_ip)
    : loop_(loop),
      source_ip_(source_ip),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      end_(checked(eventfd(0, EFD_CLOEXEC), "eventfd")) {
  if (!source_ip.empty() && !socket_address({source_ip, 0})) {
    throw std::invalid_argument("source address '" + source_ip + "': it is no IP address");
  }
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, end_.get(), &event), "epoll_ctl");
  thread_ = std::thread([this] { wait(); });
}

Sockets::~Sockets() {
  eventfd_write(end_.get(), 1);
  thread_.join();
}

void Sockets::wait() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == 0) return;
      loop_.post([this, id = event.data.u64, what = event.events] { on_event(id, what); });
    }
  }
}

Sockets::Id Sockets::connect(const Address& address, Watcher watcher) {
  const Id id = ++last_;
  auto [fd, error] = begin_to_connect(address, source_ip_);
  if (error == 0) {
    // Edge-triggered, and not for readable: told once that it is writable, which is connected, and
    // once that the other side has hung up.
    epoll_event event{.events = EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = id}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) < 0) error = errno;
  }
  sockets_.emplace(id, Socket{std::move(fd), std::move(watcher)});
  if (error != 0) {
    loop_.post([this, id, error] {
      if (const auto found = sockets_.find(id); found != sockets_.end()) {
        const auto tell = found->second.watcher.connected;  // may forget it
        tell(std::error_code(error, std::generic_category()));
      }
    });
  }
  return id;
}

void Sockets::forget(Id id) {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  // Closing alone would not do it: gRPC holds the same connection.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd.get(), nullptr);
  sockets_.erase(found);
}

void Sockets::on_event(Id id, std::uint32_t events) {
  auto found = sockets_.find(id);
  if (found == sockets_.end()) return;
  if (!found->second.connected) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(found->second.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    // From now on every write by gRPC would be an event: only the end is ours to hear of.
    epoll_event event{.events = EPOLLRDHUP | EPOLLET, .data = {.u64 = id}};
    if (error == 0) epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, found->second.fd.get(), &event);
    found->second.connected = true;
    const auto tell = found->second.watcher.connected;
    tell(std::error_code(error, std::generic_category()));
    found = sockets_.find(id);
    if (error != 0 || found == sockets_.end()) return;
  }
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    const auto tell = found->second.watcher.hung_up;
    tell();
  }
}

Descriptor Sockets::duplicate(Id id) const {
  const int fd = sockets_.at(id).fd.get();
  return Descriptor(checked(fcntl(fd, F_DUPFD_CLOEXEC, 0), "duplicate a socket"));
}

std::string Sockets::local_address(Id id) const {
  SocketAddress own;
  own.size = sizeof own.storage;
  if (getsockname(sockets_.at(id).fd.get(), own.get(), &own.size) < 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (own.storage.ss_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&own.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return to_string(Address{text.data(), ntohs(v6->sin6_port)});
  }
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&own.storage);
  inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  return to_string(Address{text.data(), ntohs(v4->sin_port)});
}

bool Sockets::hung_up(Id id) const {
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return true;
  pollfd asked{found->second.fd.get(), POLLRDHUP, 0};
  return poll(&asked, 1, 0) > 0;
}

}  // namespace greetlab
