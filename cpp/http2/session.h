// One HTTP/2 connection as its client sees it (RFC 9113): bytes in, bytes out, frames as facts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http2/frame_reader.h"

struct nghttp2_session;

namespace greetlab {

/// How much of a stream the server can have seen. It decides whether its call may be sent again
/// without anybody asking (gRFC A6, transparent retries).
enum class Reach : std::uint8_t {
  never_left,  ///< Not a byte of it left us.
  refused,     ///< The server says that it did nothing with it: REFUSED_STREAM, or a GOAWAY whose
               ///< last stream is before this one.
  processed,   ///< It may have.
};

/// A request header. What it points to stays until `submit` has returned.
struct Http2Header {
  std::string_view name;
  std::string_view value;
};

/// Opens streams, and tells what becomes of them. On nghttp2, which knows frames, HPACK and
/// windows; nothing here knows sockets or time. One thread at a time.
///
/// Everybody is told from within `receive`, `take_output` or `close`. There, streams may be opened
/// and reset; none of those three may be called, and the session must not be destroyed.
class Http2Session {
 public:
  /// The request's and the answer's ends of one stream.
  class Stream {
   public:
    virtual ~Stream() = default;
    /// The next bytes of the body, at most `room`: copies them, and says whether they are the last.
    virtual std::size_t read_body(std::span<std::uint8_t> room, bool& last) = 0;
    /// A block of headers begins: the answer's, an interim one's (1xx), or the trailers'.
    /// @param last nothing follows it: the trailers, or an answer that is nothing else.
    virtual void on_headers(bool last) = 0;
    virtual void on_header(std::string_view name, std::string_view value) = 0;
    virtual void on_headers_end() = 0;
    virtual void on_data(std::string_view bytes) = 0;
    /// The stream is over, and forgotten. The answer is whole if `answered`.
    /// @param error RFC 9113 7: 0, or why it was reset, by either side; or `kLost`.
    virtual void on_closed(Reach reach, std::uint32_t error, bool answered) = 0;

   private:
    friend class Http2Session;
    std::int32_t id_ = 0;           // 0: not open
    std::size_t place_ = 0;         // among the open ones
    std::uint64_t first_byte_ = 0;  // where in all our output it begins
    bool serialized_ = false;       // so it has begun
    bool answered_ = false;         // END_STREAM has come
  };

  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// The server's first SETTINGS have come: it speaks HTTP/2, and takes streams.
    virtual void on_settings() = 0;
    /// The server takes no new streams, and has seen none after `last_stream`. May come twice.
    virtual void on_go_away(std::int32_t last_stream, std::uint32_t error,
                            std::string_view debug) = 0;
    /// The answer to `ping`.
    virtual void on_pong() {}
    /// Every frame, and the preface; only where somebody `observes` them. One that came: before
    /// what comes of it. One that goes: as it is put into the output.
    virtual void on_frame(const Http2Frame&) {}
  };

  /// In place of an error: the connection is gone.
  static constexpr std::uint32_t kLost = 0xffffffff;
  /// Headers of one block together, as RFC 9113 6.5.2 counts them: gRPC's hard limit.
  static constexpr std::uint32_t kMaxHeaderList = 16 * 1024;

  /// @param watcher outlives it.
  /// @param observes whether `on_frame` is told; if not, frames cost a null check a read and a
  /// write.
  /// @param first_stream an odd number.
  /// @param memory for its streams and headers; outlives it, and is for the same thread.
  explicit Http2Session(Watcher& watcher, bool observes = false, std::int32_t first_stream = 1,
                        std::pmr::memory_resource& memory = *std::pmr::new_delete_resource());
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  /// What the server has sent.
  /// @return false: it broke the protocol (`failure`). Its last words may be in the output; then
  /// `close`.
  bool receive(std::string_view bytes);

  /// Appends what there is to be sent.
  /// @return false: as `receive`.
  bool take_output(std::string& output);

  /// The server has asked for no more streams than there are, or takes no new ones: `submit` would
  /// be refused.
  bool full() const;

  /// There are no more numbers for streams (RFC 9113 5.1.1): after 2^30 of them, which takes hours.
  /// Another connection has to go on.
  bool used_up() const;

  /// gRPC's own 9 (grpc_call.cc), and 8 of the application's (core/metadata.h).
  static constexpr std::size_t kMostHeaders = 17;
  /// Opens a stream, of at most so many headers. The body is read when it goes out.
  /// @param stream stays until it is closed. Not while `full`, nor once it is `used_up`.
  void submit(Stream& stream, std::span<const Http2Header> headers);

  /// Ends a stream with RST_STREAM, or before it has begun. It hears no more, not even its end.
  void reset(Stream& stream, std::uint32_t error);

  void ping();

  /// The connection is gone: each stream hears its end, with `kLost`. Nothing may be done after it.
  /// @param unwritten how much of the output, at its end, has not left.
  /// @param why becomes the `failure`, where there is none.
  void close(std::size_t unwritten, std::string_view why);

  std::size_t streams() const { return open_.size(); }
  /// The server's SETTINGS have come.
  bool ready() const { return ready_; }
  /// A GOAWAY has come.
  bool draining() const { return draining_; }
  /// How the server broke the protocol, or why the connection is gone; empty: neither.
  const std::string& failure() const { return failure_; }
  /// The server's MAX_CONCURRENT_STREAMS.
  std::uint32_t max_streams() const;

 private:
  struct Callbacks;
  struct Observed {
    FrameReader received{false};
    FrameReader sent{true};
  };

  bool take_in(std::string_view bytes);
  void tell_sent(std::string_view bytes);

  void fail(std::string_view why);
  void forget(Stream& stream);
  void end(Stream& stream, std::uint32_t error);

  Watcher& watcher_;
  nghttp2_session* session_ = nullptr;
  Stream* block_ = nullptr;  // whose headers are being read
  std::vector<Stream*> open_;
  std::unique_ptr<Observed> observed_;
  std::uint64_t produced_ = 0;  // bytes of output, ever
  bool ready_ = false;
  bool draining_ = false;
  std::string failure_;
};

}  // namespace greetlab
