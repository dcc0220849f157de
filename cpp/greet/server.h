// The greet server: the greeting, health, reflection and channelz on one port.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/pod_options.h"
#include "greet/greeting.h"

namespace greetlab {

struct GreetServerOptions {
  Pod pod;
  std::vector<std::string> listen{"0.0.0.0"};  ///< IP addresses: one, or one of each family.
  std::uint16_t port = 50051;                  ///< 0: any free one, where there is one address.
  /// gRFC A9: a connection older than this (gRPC draws +-10 %) gets a GOAWAY; unset = never.
  std::optional<std::chrono::milliseconds> max_connection_age;
  /// How long calls on such a connection may go on; unset = for ever.
  std::optional<std::chrono::milliseconds> max_connection_age_grace;
  /// How many calls at once on a connection (SETTINGS_MAX_CONCURRENT_STREAMS; more of them wait at
  /// the client). RFC 9113 6.5.2 advises no less than 100, which is what nginx and Go's clients
  /// begin with.
  std::uint32_t max_concurrent_streams = 100;
  PodOptions serving;
  double error_rate = 0;
  std::uint64_t seed = 0;
  /// The unix socket of the control service: a path, or "@name" for Linux's abstract namespace,
  /// which leaves no file behind; empty = none.
  std::string control;
  /// PEM files: what is shown to clients; no certificate: no TLS. The control socket has none.
  std::string tls_cert;
  std::string tls_key;
  /// Whose certificates clients have to show (mTLS); empty: they need none.
  std::string tls_client_ca;
};

/// One pod. Answers as soon as it is constructed; every call is served by one thread of its own.
class GreetServer {
 public:
  /// @throws std::invalid_argument for `serving` that makes no sense.
  /// @throws std::runtime_error naming the address and why it could not be bound. A port that is
  /// taken is refused: gRPC's SO_REUSEPORT, which would share it in silence, is off.
  explicit GreetServer(const GreetServerOptions& options);
  ~GreetServer();

  /// The first address that is bound (the port that the system chose, where 0 was asked for).
  const Address& address() const;

  /// Says NOT_SERVING, sends GOAWAY, lets calls finish for at most `grace`, then cuts them off.
  /// Blocks until the last is done.
  void shutdown(std::chrono::milliseconds grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace greetlab
