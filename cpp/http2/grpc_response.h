// How a call is answered (grpc/grpc doc/PROTOCOL-HTTP2.md, "Responses"): headers and bytes in,
// messages and a status out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"
#include "core/time.h"
#include "http2/session.h"

namespace greetlab {

/// Reads one answer, from its headers to its trailers. Whatever the server sends it ends with one
/// status, and never holds more than one message of the greatest size.
class GrpcResponse {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    /// A message is whole; its bytes are there meanwhile.
    virtual void on_message(std::string_view message) = 0;
    /// The server says this beside its messages; a value as it came over the wire.
    /// @param trailing at the end of its answer.
    virtual void on_metadata(std::string_view /*name*/, std::string_view /*value*/,
                             bool /*trailing*/) {}
  };

  /// As gRPC's own channel has it, where nobody says otherwise.
  static constexpr std::size_t kMaxMessage = 4 * 1024 * 1024;

  /// @param reader outlives it.
  explicit GrpcResponse(Reader& reader) : reader_(reader) {}

  /// Begins with the next answer. What it holds of memory it keeps.
  /// @param unary the server may send one message, and no more.
  /// @param max_message bytes.
  void begin(bool unary, std::size_t max_message = kMaxMessage);

  void headers_begin(bool last);
  void header(std::string_view name, std::string_view value);
  void headers_end();

  /// Bytes of the body.
  void data(std::string_view bytes);

  /// Nobody wants to hear more.
  void stop() { refuse(Code::cancelled, "given up"); }

  /// Headers have come, and not trailers alone: the server has begun to answer (gRFC A6, "When
  /// Retries are Valid").
  bool begun() const { return begun_; }
  /// When the server would be tried again (A6, `grpc-retry-pushback-ms`): less than 0 where it says
  /// never, or what is no number.
  std::optional<Duration> pushback() const { return pushback_; }

  /// It is no use reading on: why. The stream is to be reset then.
  const std::optional<Status>& broken() const { return broken_; }

  /// The call's status, once the stream is closed (`Http2Session::Stream::on_closed`).
  /// @param lost what to say if the connection is gone.
  Status end(std::uint32_t error, bool answered, std::string_view lost) const;

 private:
  void refuse(Code code, std::string why);
  std::size_t size_of_message(std::string_view prefix);
  void message(std::string_view bytes);
  bool is_grpc() const;

  Reader& reader_;
  bool unary_ = true;
  std::size_t max_message_ = kMaxMessage;
  std::optional<Status> broken_;
  std::size_t header_bytes_ = 0;  // of the block at hand,
  bool last_block_ = false;       // which may be the last
  int http_status_ = 0;
  bool begun_ = false;
  std::optional<Duration> pushback_;
  std::string content_type_;
  std::string encoding_;
  std::optional<int> grpc_status_;
  std::string grpc_message_;
  std::uint32_t messages_ = 0;
  std::string partial_;  // of a message: its prefix, and what has come of it
};

}  // namespace greetlab
