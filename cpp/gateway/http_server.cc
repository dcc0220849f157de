#include "gateway/http_server.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace greetlab {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

HttpServer::HttpServer(asio::io_context& io, const Address& listen, HttpLimits limits,
                       HttpApplication application)
    : io_(io), acceptor_(io), patience_(io), limits_(limits), application_(std::move(application)) {
  try {
    const tcp::endpoint endpoint(asio::ip::make_address(listen.ip), listen.port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("listen on " + to_string(listen) + ": " + error.code().message());
  }
  asio::co_spawn(io_, accept(), asio::detached);
}

Address HttpServer::address() const {
  const tcp::endpoint bound = acceptor_.local_endpoint();
  return {bound.address().to_string(), bound.port()};
}

void HttpServer::drain(std::function<void()> drained) {
  drained_ = std::move(drained);
  acceptor_.close();
  patience_.cancel();
  for (HttpSession& session : sessions_) session.drain();
  if (sessions_.empty()) drained_();
}

asio::awaitable<void> HttpServer::accept() {
  while (acceptor_.is_open()) {
    error_code error;
    tcp::socket socket =
        co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      admit(std::move(socket));
    } else if (acceptor_.is_open()) {
      // No descriptor is left, most likely: trying again at once would only spin.
      patience_.expires_after(std::chrono::milliseconds(100));
      co_await patience_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

void HttpServer::admit(tcp::socket socket) {
  // Twice as many are here at the most: those that are turned away take a moment, too.
  if (sessions_.size() >= 2 * limits_.connections) return;
  // A quarter is left for others, whatever one client has.
  const std::size_t share = limits_.connections - limits_.connections / 4;
  const std::string ip = HttpSession::ip_of(socket);
  const bool full =
      std::ranges::count(sessions_, ip, &HttpSession::client_ip) >= std::ptrdiff_t(share)
          ? !make_room(ip)
          : sessions_.size() >= limits_.connections && !make_room();
  const auto session = sessions_.emplace(sessions_.end(), std::move(socket), limits_, application_);
  const auto forget = [this, session](std::exception_ptr) {
    sessions_.erase(session);
    if (drained_ && sessions_.empty()) drained_();
  };
  if (full) {
    Reply reply{503, "too many connections: try again in a moment.\n"};
    reply.retry = true;
    asio::co_spawn(io_, session->turn_away(std::move(reply)), forget);
  } else {
    asio::co_spawn(io_, session->serve(), forget);
  }
}

// Ends the connection that has been idle for longest; where none is, the one that has been longest
// at sending a request. @return false: all are at work.
bool HttpServer::make_room(const std::optional<std::string>& client_ip) {
  HttpSession* longest = nullptr;
  for (const auto since : {&HttpSession::idle_since, &HttpSession::reading_since}) {
    for (HttpSession& session : sessions_) {
      if (client_ip && session.client_ip() != *client_ip) continue;
      const auto one = (session.*since)();
      if (one && (longest == nullptr || *one < *(longest->*since)())) longest = &session;
    }
    if (longest != nullptr) {
      longest->close();
      return true;
    }
  }
  return false;
}

}  // namespace greetlab
