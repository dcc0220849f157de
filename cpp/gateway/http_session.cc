#include "gateway/http_session.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <exception>
#include <iostream>
#include <utility>

#include "core/printable.h"

namespace greetlab {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

namespace {

/// What the parser did not like; its status is 400 unless a better one says it.
Reply reply_to(error_code error) {
  if (error == http::error::body_limit) return {413, "the body is too large.\n"};
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return {431, "the header, or a line between the parts of the body, is too large.\n"};
  }
  return {400, "this is no HTTP request: " + error.message() + ".\n"};
}

/// A timeout, the client's end, ours: there is nobody to be answered. What the parser finds wrong
/// is of its own category.
bool is_http(error_code error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

awaitable<void> HttpSession::serve() {
  // One co_await a statement: GCC 12 miscompiles them in conditions.
  bool more = true;
  while (more && !draining_) {
    more = co_await await_request();
    if (more) more = co_await serve_request();
  }
  co_await hang_up();
}

awaitable<void> HttpSession::turn_away(Reply reply) {
  const HttpRequest unread;
  co_await write(std::move(reply), unread, false);
  co_await hang_up();
}

void HttpSession::drain() {
  draining_ = true;
  if (idle_since_) close();
}

void HttpSession::close() {
  stream_.close();
}

// Waits for the first byte of a request. @return false: none will come.
awaitable<bool> HttpSession::await_request() {
  if (buffer_.size() > 0) co_return true;  // the client did not wait for the answer before
  idle_since_ = Clock::now();
  stream_.expires_after(limits_.idle);
  error_code error;
  const std::size_t size = co_await stream_.async_read_some(buffer_.prepare(limits_.header_bytes),
                                                            redirect_error(use_awaitable, error));
  buffer_.commit(size);
  idle_since_.reset();
  co_return !error;
}

// @return whether another may follow.
awaitable<bool> HttpSession::serve_request() {
  http::request_parser<http::string_body> parser;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  stream_.expires_after(limits_.patience);
  reading_since_ = Clock::now();
  error_code error;
  auto token = redirect_error(use_awaitable, error);
  co_await http::async_read_header(stream_, buffer_, parser, token);
  if (!error && boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    // RFC 9110 10.1.1. curl sends it before a large body, and waits a second for this.
    http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
    co_await http::async_write(stream_, go_on, token);
  }
  // What a chunked body has between its parts and behind them is no part of the parser's limits.
  std::size_t size = 0;
  const std::size_t most = 2 * limits_.body_bytes + limits_.header_bytes;
  while (!error && !parser.is_done()) {
    size += co_await http::async_read_some(stream_, buffer_, parser, token);
    if (!error && size > most) error = http::error::body_limit;
  }
  reading_since_.reset();
  if (error) {
    if (is_http(error)) {
      Reply refusal = reply_to(error);
      co_await write(std::move(refusal), parser.get(), false);
    }
    co_return false;
  }
  const HttpRequest request = parser.release();
  stream_.expires_never();  // how long the call may take, its deadline says
  const auto client = std::make_shared<HttpClient>();
  watch(client);
  Reply reply = co_await answer(request, *client);
  client->on_gone = nullptr;
  if (client->gone) co_return false;
  stream_.socket().cancel(error);  // the watch
  const bool more = co_await write(std::move(reply), request, request.keep_alive() && !draining_);
  co_return more;
}

awaitable<Reply> HttpSession::answer(const HttpRequest& request, HttpClient& client) {
  // A request that has been taken is answered, whatever becomes of it.
  try {
    Reply reply = co_await application_.handle(request, client);
    co_return reply;
  } catch (const std::exception& error) {
    std::cerr << "greet-gateway: a request was not served: " << printable(error.what()) << '\n';
  }
  co_return Reply{500, "the gateway has failed at it.\n"};
}

// Nobody reads while a request is at work, and so nobody would notice. Where the client has sent
// more, its end is behind that, and is not seen.
void HttpSession::watch(std::shared_ptr<HttpClient> client) {
  auto& socket = stream_.socket();
  const int fd = socket.native_handle();
  socket.async_wait(asio::ip::tcp::socket::wait_read, [fd, client](error_code error) {
    if (error || client.use_count() == 1) return;  // answered, and `fd` may be another's
    char byte = 0;
    const ssize_t size = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
    client->gone = true;
    if (client->on_gone) client->on_gone();
  });
}

std::string HttpSession::ip_of(const asio::ip::tcp::socket& socket) {
  error_code gone;
  return socket.remote_endpoint(gone).address().to_string();
}

awaitable<bool> HttpSession::write(Reply reply, const HttpRequest& request, bool keep_alive) {
  http::response<http::string_body> response(static_cast<http::status>(reply.status),
                                             request.version());
  response.set(http::field::server, "greet-gateway");
  response.set(http::field::content_type, reply.content_type);
  if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
  if (reply.retry) response.set(http::field::retry_after, "1");
  response.keep_alive(keep_alive);
  response.content_length(reply.body.size());
  if (request.method() != http::verb::head) response.body() = std::move(reply.body);
  application_.responded(reply.status);
  stream_.expires_after(limits_.patience);
  error_code error;
  co_await http::async_write(stream_, response, redirect_error(use_awaitable, error));
  co_return keep_alive && !error;
}

// A socket that is closed with unread input sends a reset, which may overtake our last answer (RFC
// 9112 9.6): we say that we are done, and wait a moment for the client to say so, too.
awaitable<void> HttpSession::hang_up() {
  error_code error;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  stream_.expires_after(std::chrono::seconds(1));
  while (!error) {
    buffer_.clear();
    co_await stream_.async_read_some(buffer_.prepare(4096), redirect_error(use_awaitable, error));
  }
  stream_.close();
}

}  // namespace greetlab
