#include "clusterip/proxy.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "clusterip/affinity.h"
#include "clusterip/session.h"
#include "core/endpoint_pick.h"

namespace greetlab {

using asio::ip::tcp;

namespace {

/// A wrong endpoint is the caller's mistake: better told at once than by each connection.
std::vector<Address> checked(std::vector<Address> endpoints) {
  for (const Address& endpoint : endpoints) to_endpoint(endpoint);
  return endpoints;
}

}  // namespace

class Proxy::Acceptor {
 public:
  Acceptor(const Address& listen, std::vector<Address> endpoints, std::uint64_t seed,
           std::optional<Duration> affinity, ProxySink sink)
      : sink_(std::move(sink)), pick_(seed) {
    if (affinity) affinity_.emplace(*affinity);
    pick_.set_endpoints(checked(std::move(endpoints)));
    const tcp::endpoint address = to_endpoint(listen);
    try {
      acceptor_.open(address.protocol());
      // A restart must not wait for the last run's connections to leave TIME_WAIT.
      acceptor_.set_option(tcp::acceptor::reuse_address(true));
      acceptor_.bind(address);
      acceptor_.listen();
    } catch (const std::system_error& error) {
      throw std::system_error(error.code(), "listen on " + to_string(listen));
    }
    thread_ = std::thread([this] {
      sink_(ProxyListening{monotonic_ns(), to_address(acceptor_.local_endpoint())});
      accept();
      loop_.run();
    });
  }

  ~Acceptor() {
    loop_.stop();
    thread_.join();
  }

  void set_endpoints(std::vector<Address> endpoints) {
    asio::post(loop_, [this, endpoints = checked(std::move(endpoints))]() mutable {
      pick_.set_endpoints(std::move(endpoints));
      sink_(ProxyEndpoints{monotonic_ns(), pick_.endpoints()});
    });
  }

 private:
  void accept() {
    acceptor_.async_accept(source_, [this](std::error_code error, tcp::socket client) {
      if (error) return accept_later();
      admit(std::move(client));
      accept();
    });
  }

  /// Most likely the process is out of file descriptors. The connection stays in the backlog, so to
  /// ask again at once would only spin.
  void accept_later() {
    pause_.expires_after(std::chrono::milliseconds(50));
    pause_.async_wait([this](std::error_code) { accept(); });
  }

  void admit(tcp::socket client) {
    const auto session =
        std::make_shared<Session>(++last_id_, std::move(client), to_address(source_), sink_);
    if (const Address* endpoint = choose(source_.address().to_string())) {
      session->dial(*endpoint);
    } else {
      session->refuse(std::nullopt, "no endpoints");
    }
  }

  const Address* choose(const std::string& client_ip) {
    if (!affinity_) return pick_.pick();
    const Time now{std::chrono::nanoseconds(monotonic_ns())};
    const Address* endpoint = affinity_->find(client_ip, now, pick_.endpoints());
    if (endpoint == nullptr) endpoint = pick_.pick();
    if (endpoint != nullptr) affinity_->remember(client_ip, *endpoint, now);
    return endpoint;
  }

  const ProxySink sink_;
  EndpointPick pick_;
  std::optional<ClientAffinity> affinity_;
  std::uint64_t last_id_ = 0;
  tcp::endpoint source_;  // of the connection being accepted

  asio::io_context loop_{1};
  tcp::acceptor acceptor_{loop_};
  asio::steady_timer pause_{loop_};
  std::thread thread_;
};

Proxy::Proxy(const Address& listen, std::vector<Address> endpoints, std::uint64_t seed,
             std::optional<Duration> affinity, ProxySink sink)
    : acceptor_(std::make_unique<Acceptor>(listen, std::move(endpoints), seed, affinity,
                                           std::move(sink))) {}

Proxy::~Proxy() = default;

void Proxy::set_endpoints(std::vector<Address> endpoints) {
  acceptor_->set_endpoints(std::move(endpoints));
}

}  // namespace greetlab
