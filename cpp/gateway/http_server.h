// HTTP/1.1 on one port: who is let in, and how it ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "core/address.h"
#include "gateway/http_session.h"

namespace greetlab {

/// Serves on the thread that runs the io_context, and is used there.
class HttpServer {
 public:
  /// @throws std::runtime_error naming the address and why it could not be bound.
  HttpServer(boost::asio::io_context& io, const Address& listen, HttpLimits limits,
             HttpApplication application);

  /// The address that is bound.
  Address address() const;
  std::size_t connections() const { return sessions_.size(); }

  /// Lets nobody in any more and lets the answers under way go out.
  /// @param drained is called when the last connection has ended.
  void drain(std::function<void()> drained);

 private:
  boost::asio::awaitable<void> accept();
  void admit(boost::asio::ip::tcp::socket socket);
  bool make_room(const std::optional<std::string>& client_ip = std::nullopt);

  boost::asio::io_context& io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer patience_;
  const HttpLimits limits_;
  const HttpApplication application_;
  std::list<HttpSession> sessions_;
  std::function<void()> drained_;
};

}  // namespace greetlab
