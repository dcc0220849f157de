// A TCP connection and HTTP/2 over it, or over TLS over it: the bytes between a socket and a
// session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/address.h"
#include "http2/session.h"
#include "live/descriptor.h"
#include "live/loop.h"
#include "live/socket.h"
#include "live/tls.h"

namespace greetlab {

/// Reads a socket once a turn, and writes it once a turn, at its end: what several calls send goes
/// out together. Lives on the loop, held by `shared_ptr`.
class Transport final : public std::enable_shared_from_this<Transport>,
                        public Loop::TurnEnd,
                        private Poller::Source,
                        private Http2Session::Watcher {
 public:
  /// Told from within the session: streams may be opened and reset, and the transport closed.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// TLS is agreed on, so long after TCP was connected.
    virtual void on_secured(const TlsAgreement& agreement, Duration took) = 0;
    /// The server's SETTINGS have come.
    virtual void on_ready() = 0;
    /// The server takes no new streams (`Http2Session::Watcher`). May come again.
    virtual void on_go_away(std::int32_t last_stream, std::uint32_t error,
                            std::string_view debug) = 0;
    /// The answer to a PING.
    virtual void on_pong() = 0;
    /// What there was to be read is read: there may be room for streams.
    virtual void on_read() = 0;
    /// The attempt has failed, or the connection is gone: its streams hear of it next.
    virtual void on_gone(const std::string& why) = 0;
    /// `Http2Session::Watcher`; of what is said until `close`.
    virtual void on_frame(const Http2Frame& frame) = 0;
  };

  /// @param loop outlives it, and so does the owner, until `close`.
  /// @param tls nullptr: none. Outlives it.
  /// @param frames whether `on_frame` is told.
  Transport(Loop& loop, Owner& owner, const TlsClient* tls, bool frames)
      : loop_(loop), owner_(owner), session_(*this, frames, 1, loop.memory()) {
    if (tls != nullptr) tls_.emplace(*tls);
  }
  ~Transport() override { hang_up(); }
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Begins. Once.
  void connect(const Address& address, const SocketOptions& options);

  /// TCP is connected.
  bool connected() const { return connected_; }
  /// It has no TLS yet, and needs one.
  bool unsecured() const { return tls_ && !tls_->established(); }
  /// What went wrong with TLS; empty: nothing.
  std::string tls_failure() const { return tls_ ? tls_->failure() : std::string(); }
  /// Our end, once it is.
  std::string local() const { return local_address_; }

  /// To open and reset streams on.
  Http2Session& session() { return session_; }
  /// There is something to be sent.
  void touch();

  /// The owner takes the connection for dead. It hears that it is gone, and so do the streams.
  void give_up(const std::string& why) { lose(why); }

  /// Hangs up, at once or at the end of this turn. The owner hears no more.
  void close();

 private:
  void on_ready(std::uint32_t events) override;
  void on_turn_end() override;
  void on_settings() override;
  void on_go_away(std::int32_t last_stream, std::uint32_t error, std::string_view debug) override;
  void on_frame(const Http2Frame& frame) override;
  void on_pong() override;

  void on_connected();
  void read();
  void take(std::string_view bytes);
  void write();
  bool produce();
  std::size_t unwritten() const;
  void lose(const std::string& why);
  void hang_up();

  Loop& loop_;
  Owner& owner_;
  Http2Session session_;
  std::optional<TlsSession> tls_;
  Descriptor fd_;
  Timer refused_;  // by the kernel, at once
  std::string local_address_;
  bool connected_ = false;
  Time connected_at_{};
  bool touched_ = false;  // `on_turn_end` will come
  bool blocked_ = false;  // the kernel takes no more for now
  bool broken_ = false;   // nor ever
  bool closed_ = false;
  std::string output_;
  std::size_t written_ = 0;  // of it
  std::string plain_;        // what of the session's is in it, where TLS has sealed that
};

}  // namespace greetlab
