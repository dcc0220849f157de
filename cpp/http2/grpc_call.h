// A gRPC call: a stream of HTTP/2 that carries a request there, and messages and a status back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/status.h"
#include "core/time.h"
#include "http2/grpc_response.h"
#include "http2/session.h"

namespace greetlab {

/// What is asked for (PROTOCOL-HTTP2.md, "Requests").
struct GrpcRequest {
  std::string_view path;       ///< "/greet.GreetService/Greet"
  std::string_view authority;  ///< Whom it is for: the target's name.
  /// `length_prefixed`. Stays until the call has ended.
  std::string_view body;
  /// nothing: for ever.
  std::optional<Duration> timeout;
  /// The method answers with one message. If not, with any number.
  bool unary = true;
  /// What the application says beside it, as it goes over the wire; at most 8.
  std::span<const Http2Header> metadata{};
  std::string_view scheme = "http";  ///< Over TLS "https".
  /// How often it was tried before (gRFC A6).
  std::uint32_t previous_attempts = 0;
  /// Bytes that a message of the answer may have; none: `GrpcResponse::kMaxMessage`.
  std::optional<std::uint32_t> max_message{};
};

/// One call at a time; used again for the next one, with the memory of the last.
///
/// It lives as its session's streams do: on one thread; told from within `receive`, `take_output`
/// and `close`, where others may be started and given up. It must not be destroyed while it runs,
/// nor from within its own `on_message` and `on_end`.
class GrpcCall : private Http2Session::Stream, private GrpcResponse::Reader {
 public:
  GrpcCall() : response_(*this) {}
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  /// @param session outlives the call, and is not `full`.
  void start(Http2Session& session, const GrpcRequest& request);

  /// Ends it with RST_STREAM(CANCEL). It hears no more.
  void give_up();

  bool running() const { return session_ != nullptr; }

  /// Of the last answer, as in `GrpcResponse`.
  bool begun() const { return response_.begun(); }
  std::optional<Duration> pushback() const { return response_.pushback(); }

 protected:
  ~GrpcCall() override = default;

  void on_message(std::string_view message) override = 0;
  /// Once, unless it is given up. It may be started again then.
  /// @param reach what the server can have seen of it.
  virtual void on_end(const Status& status, Reach reach) = 0;

 private:
  std::size_t read_body(std::span<std::uint8_t> room, bool& last) override;
  void on_headers(bool last) override;
  void on_header(std::string_view name, std::string_view value) override;
  void on_headers_end() override;
  void on_data(std::string_view bytes) override;
  void on_closed(Reach reach, std::uint32_t error, bool answered) override;
  void give_up_if_broken();

  Http2Session* session_ = nullptr;  // while it runs
  std::string_view body_;            // what is left of it to send
  GrpcResponse response_;
};

}  // namespace greetlab
