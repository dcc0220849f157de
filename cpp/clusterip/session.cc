#include "clusterip/session.h"

#include <sys/socket.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/socket_base.hpp>
#include <asio/write.hpp>
#include <cctype>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace greetlab {

using asio::ip::tcp;

namespace {

std::string in_words(std::error_code error) {
  std::string words = error.message();
  words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  return words;
}

/// Closes with RST in place of FIN. Errors do not matter: closed it is in any case.
void close_with_reset(tcp::socket& socket) {
  std::error_code ignored;
  socket.set_option(tcp::socket::linger(true, 0), ignored);
  socket.close(ignored);
}

/// Whether the connection has broken. Unlike a receive, it does not wait for unread data to go
/// first.
bool has_error(tcp::socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error != 0;
}

ProxySide opposite(ProxySide side) {
  return side == ProxySide::client ? ProxySide::endpoint : ProxySide::client;
}

}  // namespace

std::int64_t monotonic_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

tcp::endpoint to_endpoint(const Address& address) {
  std::error_code error;
  const auto ip = asio::ip::make_address(address.ip, error);
  if (error) throw std::invalid_argument("'" + address.ip + "' is not an IP address");
  return {ip, address.port};
}

Address to_address(const tcp::endpoint& endpoint) {
  return {endpoint.address().to_string(), endpoint.port()};
}

Session::Session(std::uint64_t id, tcp::socket client, Address source, const ProxySink& sink)
    : id_(id),
      source_(std::move(source)),
      sink_(sink),
      client_(std::move(client)),
      endpoint_(client_.get_executor()) {}

void Session::dial(const Address& endpoint) {
  endpoint_.async_connect(to_endpoint(endpoint),
                          [self = shared_from_this(), endpoint](std::error_code error) {
                            if (error) return self->refuse(endpoint, in_words(error));
                            self->relay(endpoint);
                          });
}

void Session::refuse(std::optional<Address> endpoint, std::string reason) {
  close_with_reset(client_);
  sink_(ProxyFailed{monotonic_ns(), id_, source_, std::move(endpoint), std::move(reason)});
}

void Session::relay(const Address& endpoint) {
  // Errors here mean that the connection has ended already, which the first receive will tell.
  std::error_code ignored;
  for (tcp::socket* socket : {&client_, &endpoint_}) {
    socket->non_blocking(true, ignored);
    socket->set_option(tcp::no_delay(true), ignored);
  }
  const Address upstream = to_address(endpoint_.local_endpoint(ignored));
  sink_(ProxyOpened{monotonic_ns(), id_, source_, endpoint, upstream});
  receive(shared_from_this(), up_);
  receive(shared_from_this(), down_);
}

// `self` is handed on from operation to operation, so that a message costs no reference counting.

void Session::receive(Self self, Flow& flow) {
  flow.from.async_read_some(
      asio::buffer(flow.buffer.get(), kBufferSize),
      [self = std::move(self), &flow](std::error_code error, std::size_t size) mutable {
        if (error == asio::error::eof) return self->finish(flow);
        if (error) return self->reset(flow.sender);
        send(std::move(self), flow, size);
      });
}

void Session::send(Self self, Flow& flow, std::size_t size) {
  // Nearly always the receiver takes everything at once. Whatever stops it, async_write meets it
  // again: it waits out a full connection, and reports a broken one.
  const auto data = asio::buffer(flow.buffer.get(), size);
  std::error_code ignored;
  const std::size_t sent = flow.to.write_some(data, ignored);
  flow.bytes += sent;
  if (sent == size) return receive(std::move(self), flow);

  self->guard(flow);
  asio::async_write(
      flow.to, data + sent,
      [self = std::move(self), &flow](std::error_code error, std::size_t rest) mutable {
        flow.bytes += rest;
        if (error) return self->reset(opposite(flow.sender));
        receive(std::move(self), flow);
      });
}

/// Nobody receives from a sender whose receiver is behind, or who has finished: this is how its
/// reset is noticed all the same.
void Session::guard(Flow& flow) {
  if (std::exchange(flow.guarded, true)) return;
  flow.from.async_wait(tcp::socket::wait_error,
                       [self = shared_from_this(), &flow](std::error_code cancelled) {
                         // It also wakes for a hang-up, which is both directions finished.
                         if (!cancelled && has_error(flow.from)) self->reset(flow.sender);
                       });
}

void Session::finish(Flow& flow) {
  std::error_code ignored;
  flow.to.shutdown(tcp::socket::shutdown_send, ignored);
  flow.finished = true;
  flow.buffer.reset();  // a pod may take its time to finish, too, and many clients may wait for it
  if (!first_to_finish_) first_to_finish_ = flow.sender;
  if (up_.finished && down_.finished) {
    close(*first_to_finish_, false);
  } else {
    guard(flow);
  }
}

void Session::reset(ProxySide by) {
  close(by, true);
}

void Session::close(ProxySide by, bool reset) {
  if (!client_.is_open()) return;  // The other direction saw the end first.
  for (tcp::socket* socket : {&client_, &endpoint_}) {
    if (reset) {
      close_with_reset(*socket);
    } else {
      std::error_code ignored;
      socket->close(ignored);
    }
  }
  sink_(ProxyClosed{monotonic_ns(), id_, up_.bytes, down_.bytes, by, reset});
}

}  // namespace greetlab
