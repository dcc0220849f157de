// The gateway: which path does what, with the channel behind it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "core/time.h"
#include "engine/flags.h"
#include "gateway/http_server.h"
#include "gateway/metrics.h"
#include "gateway/recent_trace.h"

namespace greetlab {

struct GatewayOptions {
  EngineFlags channel;
  Address listen{"0.0.0.0", 9091};
  HttpLimits http;
  /// Of each call.
  Duration deadline = std::chrono::seconds(5);
  /// How many events /trace keeps; 0: there is no /trace.
  std::size_t trace_capacity = 0;
};

/// Answers until it is drained. An RPC that fails is an answer like any other.
class Gateway final : private Trace::Listener {
 public:
  /// @throws std::invalid_argument, std::runtime_error: it could not begin.
  Gateway(boost::asio::io_context& io, const GatewayOptions& options);
  ~Gateway() override;

  Address address() const { return server_.address(); }
  void drain(std::function<void()> drained) { server_.drain(std::move(drained)); }

 private:
  // On the channel's thread. Nothing happens before somebody calls or connects, so it is there.
  void on_event(const Event& event) override;

  boost::asio::awaitable<Reply> handle(const HttpRequest& request, HttpClient& client);
  boost::asio::awaitable<Reply> greet(const HttpRequest& request, HttpClient& client);
  Reply look(std::string_view path);
  Reply readiness();

  boost::asio::io_context& io_;
  const Duration deadline_;
  Metrics metrics_;
  std::optional<RecentTrace> recent_;
  const std::shared_ptr<GreetChannel> channel_;
  HttpServer server_;
};

}  // namespace greetlab
