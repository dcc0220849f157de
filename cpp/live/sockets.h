// TCP connections as the kernel shows them: how an attempt ended, and when the other side hung up.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "core/address.h"
#include "live/loop.h"

namespace greetlab {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Sockets that are being connected or watched. gRPC would connect by itself; we do it, so that the
/// lab can show errno, the local port, and every attempt.
///
/// A thread waits for the kernel (`epoll`) and posts what it hears to the loop; everything else
/// belongs to the loop. It is idle while data flows: a connection in use is gRPC's to read.
class Sockets {
 public:
  using Id = std::uint64_t;
  /// On the loop; never before the call that it was handed to has returned.
  struct Watcher {
    /// The attempt has ended.
    std::function<void(std::error_code)> connected;
    /// The other side sends no more (FIN), or the connection broke. After `connected`.
    std::function<void()> hung_up;
  };

  /// @param loop outlives it.
  /// @param source_ip from which address to connect; empty: the kernel chooses.
  /// @throws std::system_error if the kernel has no descriptors left; std::invalid_argument for a
  ///         source that is no IP address.
  Sockets(Loop& loop, const std::string& source_ip);
  ~Sockets();
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  /// Begins to connect. On the loop. `forget` it when done.
  Id connect(const Address& address, Watcher watcher);
  /// Closes our descriptor, and tells the watcher nothing any more.
  void forget(Id id);

  /// Another descriptor of the same connection, for gRPC to read, write and close.
  /// @throws std::system_error
  Descriptor duplicate(Id id) const;
  /// Our end: "127.0.0.1:40312". Empty if it is gone already.
  std::string local_address(Id id) const;
  /// Whether the other side has hung up, heard of or not.
  bool hung_up(Id id) const;

 private:
  struct Socket {
    Descriptor fd;
    Watcher watcher;
    bool connected = false;
  };

  void wait();
  void on_event(Id id, std::uint32_t events);

  Loop& loop_;
  const std::string source_ip_;
  Descriptor epoll_;
  Descriptor end_;  // an eventfd
  Id last_ = 0;
  std::unordered_map<Id, Socket> sockets_;
  std::thread thread_;
};

}  // namespace greetlab
