// One question to one server over one transport, and the sockets that carry it: all that we let
// c-ares do. What it would do on its own account, and hide, is `Walk`'s.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/lookup.h"
#include "dns/resolver_config.h"

namespace greetlab {

/// A c-ares channel for each server and transport, and the loop that serves their sockets. Belongs
/// to one thread at a time, except `wake`.
///
/// The timeout is c-ares' to keep. Versions from 1.32 on shorten it on their own once they know a
/// server (five times its usual round trip, but at least 250 ms).
class DnsWire {
 public:
  using Answered = std::function<void(Query)>;

  /// @throws std::invalid_argument if there is no server, or one whose ip is none;
  ///         std::runtime_error if c-ares or the kernel will not start.
  explicit DnsWire(const ResolverConfig& config);

  /// Every question under way is answered with `cancelled`, before this returns; so are those that
  /// such an answer leads to.
  ~DnsWire();

  DnsWire(const DnsWire&) = delete;
  DnsWire& operator=(const DnsWire&) = delete;

  /// Sends one question to `config.servers[server]`. `answered` gets the fact, whatever came of it,
  /// from `run_once`: never before `ask` returns. It may ask on, and must not throw.
  void ask(std::size_t server, DnsTransport transport, const std::string& name, RecordType type,
           Answered answered);

  /// Waits until a socket is ready, a timeout has passed, or `wake` was called, and sees to it.
  ///
  /// @return whether there was anything: false if `at_most` passed first, or a signal came.
  bool run_once(std::chrono::milliseconds at_most = std::chrono::milliseconds::max());

  /// Makes `run_once` return. From any thread.
  void wake();

 private:
  struct Channel;
  struct Asked;

  bool deliver();
  int milliseconds_to_wait(std::chrono::milliseconds at_most) const;

  std::vector<Address> servers_;
  std::vector<std::unique_ptr<Channel>> channels_;  // two a server: UDP, TCP
  int wake_fd_ = -1;                                // an eventfd
  std::vector<pollfd> sockets_;   // [0] is wake_fd_; the others are c-ares' own, and
  std::vector<Channel*> owners_;  // whose they are
  std::vector<pollfd> polled_;    // a copy of sockets_, which changes while we see to them

  // c-ares answers from within its own functions, and (1.34, for one) does not bear being called
  // from there: answers wait here until it has returned.
  std::vector<std::unique_ptr<Asked>> finished_;
  std::vector<std::unique_ptr<Asked>> delivering_;
};

}  // namespace greetlab
