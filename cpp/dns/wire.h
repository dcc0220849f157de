// One question to one server over one transport, and the sockets that carry it: all that we let
// c-ares do. What it would do on its own account, and hide, is `Walk`'s.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/descriptors.h"
#include "core/lookup.h"
#include "dns/resolver_config.h"

namespace greetlab {

/// A c-ares channel for each server and transport, whose sockets are waited for with everything
/// else that the clock's thread waits for. Belongs to that thread.
///
/// The timeout is c-ares' to keep. Versions from 1.32 on shorten it on their own once they know a
/// server (five times its usual round trip, but at least 250 ms).
class DnsWire {
 public:
  using Answered = std::function<void(Query)>;

  /// Clock and descriptors, which are one loop's, outlive it. Nothing is asked of them before there
  /// is a question.
  ///
  /// @throws std::invalid_argument if a part of the configuration makes no sense, naming it: no
  ///         server, or one whose ip is none; std::runtime_error if c-ares will not start.
  DnsWire(Clock& clock, Descriptors& descriptors, ResolverConfig config);

  /// Every question under way is answered with `cancelled`, before this returns; so are those that
  /// such an answer leads to.
  ~DnsWire();

  DnsWire(const DnsWire&) = delete;
  DnsWire& operator=(const DnsWire&) = delete;

  const ResolverConfig& config() const { return config_; }

  /// Sends one question to `config().servers[server]`. `answered` gets the fact, whatever came of
  /// it, on the clock's thread: never before `ask` returns. It may ask on, and must neither throw
  /// nor destroy the wire.
  void ask(std::size_t server, DnsTransport transport, const std::string& name, RecordType type,
           Answered answered);

 private:
  struct Channel;
  struct Socket;
  struct Asked;

  void look_after_soon();
  void look_after();
  void deliver();

  Clock& clock_;
  Descriptors& descriptors_;
  const ResolverConfig config_;
  std::vector<std::unique_ptr<Socket>> sockets_;  // c-ares' own; before the channels that use them
  std::vector<std::unique_ptr<Channel>> channels_;  // two a server: UDP, TCP

  // c-ares answers from within its own functions, and (1.34, for one) does not bear being called
  // from there: answers wait here until it has returned.
  std::vector<std::unique_ptr<Asked>> finished_;
  std::vector<std::unique_ptr<Asked>> delivering_;
  Timer soon_;  // to look after what was asked
  bool is_soon_ = false;
  Timer timeout_;  // c-ares' next
};

}  // namespace greetlab
