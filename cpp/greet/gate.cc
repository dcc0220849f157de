#include "greet/gate.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace greetlab {
namespace {

std::int64_t monotonic_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// "127.0.0.1 port 4000".
std::string peer_of(int fd) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  char ip[NI_MAXHOST], port[NI_MAXSERV];
  auto* address = reinterpret_cast<sockaddr*>(&peer);
  if (getpeername(fd, address, &length) != 0 ||
      getnameinfo(address, length, ip, sizeof ip, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "somebody who has gone";
  }
  const std::string_view mapped = "::ffff:";  // an IPv4 client of a socket that takes both
  const std::string who(ip);
  return (who.starts_with(mapped) ? who.substr(mapped.size()) : who) + " port " + port;
}

int domain_of(int fd) {
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  return domain;
}

bool is_ours(int unix_socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(unix_socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

class Gate {
 public:
  explicit Gate(const GateBounds& bounds) : bounds_(bounds) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t descriptors = std::min<std::size_t>(limit.rlim_cur, kDescriptors);
    // What gRPC needs itself, and those that are on their way out.
    bounds_.connections =
        std::min(bounds_.connections, descriptors - std::min<std::size_t>(100, descriptors / 2));
  }

  /// @return false: the connection is to be closed at once.
  bool enter(int fd) {
    if (domain_of(fd) == AF_UNIX) {
      if (is_ours(fd)) return true;
      tell("somebody else's process", "the control socket answers its owner only");
      return false;
    }
    if (!has_place(fd)) return false;
    const std::lock_guard lock(mutex_);
    if (inside_.size() >= bounds_.connections && !make_room()) {
      tell(peer_of(fd), "there are too many connections, and all of them are busy or new");
      return false;
    }
    Connection& connection = connections_[fd];
    const std::lock_guard also(connection.mutex);
    connection.watch.emplace(bounds_.frames);
    connection.cut = false;
    connection.heard_ns = connection.entered_ns = monotonic_ns();
    connection.asked = false;
    inside_.insert(fd);
    return true;
  }

  /// @return false: it is cut off.
  bool received(int fd, const msghdr& message, std::size_t size) {
    if (!has_place(fd)) return true;
    Connection& connection = connections_[fd];
    const char* met = nullptr;
    {
      const std::lock_guard lock(connection.mutex);
      if (connection.cut) return false;
      if (!connection.watch) return true;
      const std::int64_t now = monotonic_ns();
      connection.heard_ns = now;
      for_each_piece(message, size, [&](std::span<const std::uint8_t> bytes) {
        if (met == nullptr) met = connection.watch->received(bytes, now);
      });
      count(connection);
    }
    if (met == nullptr && memory_ <= bounds_.memory) return true;
    const std::lock_guard lock(mutex_);
    if (met == nullptr) return fd != cut_largest();
    cut(fd, met);
    return false;
  }

  void sent(int fd, const msghdr& message, std::size_t size) {
    if (!has_place(fd)) return;
    Connection& connection = connections_[fd];
    const std::lock_guard lock(connection.mutex);
    if (!connection.watch || connection.cut) return;
    for_each_piece(message, size,
                   [&](std::span<const std::uint8_t> bytes) { connection.watch->sent(bytes); });
    count(connection);
  }

  /// Before the descriptor is closed, for then it may be another's. Only now is its memory free.
  void leave(int fd) {
    if (!has_place(fd)) return;
    const std::lock_guard lock(mutex_);
    inside_.erase(fd);
    Connection& connection = connections_[fd];
    const std::lock_guard also(connection.mutex);
    connection.watch.reset();
    connection.cut = false;
    count(connection);
  }

 private:
  struct Connection {
    std::mutex mutex;  // of these two
    std::optional<FrameWatch> watch;
    bool cut = false;

    std::atomic<std::size_t> memory = 0;  // of its calls; 0: it has none
    std::atomic<std::int64_t> heard_ns = 0;
    std::int64_t entered_ns = 0;
    std::atomic<bool> asked = false;
  };

  static constexpr std::size_t kDescriptors = 2048;
  static constexpr std::size_t kHarmless = 256 * 1024;

  static bool has_place(int fd) { return static_cast<std::size_t>(fd) < kDescriptors; }

  template <class OnPiece>
  static void for_each_piece(const msghdr& message, std::size_t size, OnPiece on_piece) {
    for (const iovec& part : std::span(message.msg_iov, message.msg_iovlen)) {
      const std::size_t some = std::min(size, part.iov_len);
      on_piece(std::span(static_cast<const std::uint8_t*>(part.iov_base), some));
      if ((size -= some) == 0) return;
    }
  }

  // With the connection's mutex.
  void count(Connection& connection) {
    const std::size_t memory = connection.watch ? connection.watch->memory() : 0;
    memory_ += memory - connection.memory.exchange(memory);
    if (memory > 0) connection.asked = true;
  }

  // The rest with mutex_, and with no connection's.

  /// gRPC notices, and closes it.
  void cut(int fd, const char* why) {
    if (!inside_.contains(fd)) return;
    tell(peer_of(fd), why);
    end(fd);
  }

  void end(int fd) {
    inside_.erase(fd);
    {
      const std::lock_guard lock(connections_[fd].mutex);
      connections_[fd].cut = true;
    }
    shutdown(fd, SHUT_RDWR);
  }

  /// Of those whose calls take about as much as anybody's, the one that came last: to come with
  /// many is an attack, to have many after a while may be our own slowness.
  /// @return who was cut.
  std::optional<int> cut_largest() {
    if (memory_ <= bounds_.memory || inside_.empty()) return std::nullopt;
    const auto memory = [this](int fd) { return connections_[fd].memory.load(); };
    const std::size_t most = memory(*std::ranges::max_element(inside_, {}, memory));
    if (most < kHarmless) return std::nullopt;  // those that were cut still have theirs
    std::optional<int> last;
    for (const int fd : inside_) {
      if (memory(fd) < most / 2) continue;
      if (!last || connections_[fd].entered_ns > connections_[*last].entered_ns) last = fd;
    }
    cut(*last, "all calls together take too much memory, and its own take the most");
    return last;
  }

  /// Ends the connection that has been silent for longest, of those that never asked for anything
  /// if there are any. To let in and to end one is work for gRPC, so none goes that is new: who
  /// is turned away costs next to nothing.
  bool make_room() {
    std::optional<int> longest;
    const std::int64_t lately = monotonic_ns() - 1'000'000'000;
    const auto order = [this](int fd) {
      return std::pair(connections_[fd].asked.load(), connections_[fd].heard_ns.load());
    };
    for (const int fd : inside_) {
      if (connections_[fd].memory > 0 || connections_[fd].heard_ns > lately) continue;
      if (!longest || order(fd) < order(*longest)) longest = fd;
    }
    if (longest) end(*longest);
    return longest.has_value();
  }

  void tell(const std::string& who, const char* why) {
    {
      const std::lock_guard lock(told_mutex_);
      if (!told_.insert(why).second) return;
    }
    std::cerr << "greet-server: " + who + " is cut off: " + why +
                     ". The next of whom that is true is cut off without a word.\n";
  }

  GateBounds bounds_;
  const std::unique_ptr<Connection[]> connections_ = std::make_unique<Connection[]>(kDescriptors);
  std::atomic<std::size_t> memory_ = 0;  // of all calls
  std::mutex mutex_;
  std::set<int> inside_;
  std::mutex told_mutex_;
  std::set<std::string_view> told_;
};

// For ever: threads of gRPC may still be there when the process ends.
std::atomic<Gate*> gate = nullptr;

/// The C library's own.
template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int close_at_once(int fd) {
  static const auto real = next<int (*)(int)>("close");
  return real(fd);
}

/// Whoever is next in the queue is turned away, by the descriptor that is kept for that: it would
/// wait there for ever, for gRPC looks when somebody new comes.
void turn_one_away(int listener) {
  static std::mutex mutex;
  static int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  static const auto real = next<int (*)(int, sockaddr*, socklen_t*, int)>("accept4");
  const std::lock_guard lock(mutex);
  close_at_once(spare);
  const int error = errno;
  if (const int fd = real(listener, nullptr, nullptr, SOCK_CLOEXEC); fd >= 0) close_at_once(fd);
  spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  errno = error;
}

}  // namespace

void guard_connections(const GateBounds& bounds) {
  gate = new Gate(bounds);
}

}  // namespace greetlab

using greetlab::gate;

// Also found by libraries, whatever the build says of symbols.
#pragma GCC visibility push(default)
extern "C" {

int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  static const auto real = greetlab::next<decltype(&accept4)>("accept4");
  const socklen_t room = length != nullptr ? *length : 0;
  for (;;) {
    if (length != nullptr) *length = room;
    const int fd = real(listener, address, length, flags);
    if (gate == nullptr) return fd;
    if (fd >= 0) {
      if (gate.load()->enter(fd)) return fd;
      greetlab::close_at_once(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      greetlab::turn_one_away(listener);  // at this, too, gRPC 1.51 would never accept again
    } else if (errno != ECONNABORTED && errno != EPROTO) {
      return fd;
    }
  }
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static const auto real = greetlab::next<decltype(&recvmsg)>("recvmsg");
  const ssize_t size = real(fd, message, flags);
  if (size <= 0 || gate == nullptr) return size;
  if (gate.load()->received(fd, *message, static_cast<std::size_t>(size))) return size;
  errno = ECONNRESET;
  return -1;
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto real = greetlab::next<decltype(&sendmsg)>("sendmsg");
  const ssize_t size = real(fd, message, flags);
  if (size > 0 && gate != nullptr) {
    gate.load()->sent(fd, *message, static_cast<std::size_t>(size));
  }
  return size;
}

int close(int fd) {
  if (gate != nullptr) gate.load()->leave(fd);
  return greetlab::close_at_once(fd);
}

}  // extern "C"
#pragma GCC visibility pop
