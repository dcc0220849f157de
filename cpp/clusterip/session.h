// One connection through the proxy: two legs, and the bytes between them.
#pragma once

#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "clusterip/proxy_fact.h"
#include "core/address.h"

namespace greetlab {

/// CLOCK_MONOTONIC, for `time_ns`.
std::int64_t monotonic_ns();

/// @throws std::invalid_argument when `address.ip` is not an IP address.
asio::ip::tcp::endpoint to_endpoint(const Address& address);
Address to_address(const asio::ip::tcp::endpoint& endpoint);

/// Relays between a client and its endpoint until both have finished, or one resets. Memory is
/// bounded: one buffer each way, and a sender is not read from while its receiver is behind. Lives
/// as long as an operation is pending, each of which holds it.
class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `sink` outlives the session.
  Session(std::uint64_t id, asio::ip::tcp::socket client, Address source, const ProxySink& sink);

  /// Connects to `endpoint` and relays, or refuses the client when it does not answer.
  void dial(const Address& endpoint);

  /// Resets the client.
  void refuse(std::optional<Address> endpoint, std::string reason);

 private:
  using Self = std::shared_ptr<Session>;

  static constexpr std::size_t kBufferSize = 16 * 1024;

  /// One of the two directions.
  struct Flow {
    ProxySide sender;
    asio::ip::tcp::socket& from;
    asio::ip::tcp::socket& to;
    std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(kBufferSize);
    std::uint64_t bytes = 0;  // handed to the receiver's connection
    bool finished = false;
    bool guarded = false;
  };

  void relay(const Address& endpoint);
  static void receive(Self self, Flow& flow);
  static void send(Self self, Flow& flow, std::size_t size);
  void guard(Flow& flow);

  void finish(Flow& flow);
  void reset(ProxySide by);
  void close(ProxySide by, bool reset);

  const std::uint64_t id_;
  const Address source_;
  const ProxySink& sink_;
  asio::ip::tcp::socket client_;
  asio::ip::tcp::socket endpoint_;
  Flow up_{ProxySide::client, client_, endpoint_};
  Flow down_{ProxySide::endpoint, endpoint_, client_};
  std::optional<ProxySide> first_to_finish_;
};

}  // namespace greetlab
