// One HTTP connection.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "gateway/reply.h"

namespace greetlab {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;

/// Who waits for an answer.
struct HttpClient {
  bool gone = false;
  /// Called when it has gone; to be set by whoever works for it. One who says that it will send
  /// nothing more has gone, as for nginx (499) and Go's net/http.
  std::function<void()> on_gone;
};

/// Whom the server serves.
struct HttpApplication {
  std::function<boost::asio::awaitable<Reply>(const HttpRequest&, HttpClient&)> handle;
  /// Hears the status of every response, also of those to what was no request.
  std::function<void(unsigned)> responded;
};

/// What a client may take. None can hold the server for longer than it says here.
struct HttpLimits {
  /// With what they may send (below) these stay under 64 MiB, half of what the Pod may have.
  std::size_t connections = 512;
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 32 * 1024;
  /// Between two requests. Longer than a proxy in front keeps its connections (nginx: 60 s), or it
  /// would send a request into one that we are just closing.
  std::chrono::seconds idle{75};
  /// From a request's first byte to its last, however slowly they come; and for a response to be
  /// taken.
  std::chrono::nanoseconds patience = std::chrono::seconds(10);
};

/// Reads requests and writes answers, one after the other. Lives on one thread.
class HttpSession {
 public:
  using Clock = std::chrono::steady_clock;

  HttpSession(boost::asio::ip::tcp::socket socket, const HttpLimits& limits,
              const HttpApplication& application)
      : stream_(std::move(socket)),
        buffer_(2 * limits.header_bytes),
        client_ip_(ip_of(stream_.socket())),
        limits_(limits),
        application_(application) {}

  /// Until the connection ends. It outlives us.
  boost::asio::awaitable<void> serve();
  /// Answers this before anything is asked, and hangs up.
  boost::asio::awaitable<void> turn_away(Reply reply);

  /// Whose a connection is: its address.
  static std::string ip_of(const boost::asio::ip::tcp::socket& socket);
  const std::string& client_ip() const { return client_ip_; }
  /// Since when it has waited for a request; nothing: one is here, at least in part.
  std::optional<Clock::time_point> idle_since() const { return idle_since_; }
  /// Since when it has waited for the rest of a request; nothing: it waits for none, or is at work.
  std::optional<Clock::time_point> reading_since() const { return reading_since_; }

  /// Ends it after the answer that is under way; at once if it is idle.
  void drain();
  /// Ends it at once.
  void close();

 private:
  boost::asio::awaitable<bool> await_request();
  boost::asio::awaitable<bool> serve_request();
  boost::asio::awaitable<Reply> answer(const HttpRequest& request, HttpClient& client);
  void watch(std::shared_ptr<HttpClient> client);
  boost::asio::awaitable<bool> write(Reply reply, const HttpRequest& request, bool keep_alive);
  boost::asio::awaitable<void> hang_up();

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;  // a header, or one line of a chunked body, fits into it
  const std::string client_ip_;
  const HttpLimits& limits_;
  const HttpApplication& application_;
  std::optional<Clock::time_point> idle_since_;
  std::optional<Clock::time_point> reading_since_;
  bool draining_ = false;
};

}  // namespace greetlab
