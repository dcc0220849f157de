// TLS as a client speaks it, on OpenSSL: bytes in, bytes out, like the session above it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "channel/credentials.h"

struct bio_st;
struct ssl_ctx_st;
struct ssl_st;

namespace greetlab {

/// Whom a channel's connections trust, what they show of themselves, and whom they ask for. Made
/// once a channel, and never changed.
class TlsClient {
 public:
  /// @param credentials PEM. Without authorities, the system's own are trusted.
  /// @param name what the server's certificate must say (RFC 9525): a DNS name, with or without its
  /// final dot, or an IP address. The same for all of a channel's connections, whatever address
  /// they are dialled to.
  /// @throws std::invalid_argument for what is no PEM, and a key that is not the certificate's.
  TlsClient(const Credentials& credentials, std::string name);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  const std::string& name() const { return name_; }

 private:
  friend class TlsSession;

  ssl_ctx_st* context_;
  std::string name_;
};

/// What a handshake has agreed on.
struct TlsAgreement {
  std::string protocol;  ///< "TLSv1.3"; nothing below 1.2 is spoken (RFC 9113 9.2).
  std::string name;      ///< What the certificate was asked to say, and does.
  /// How often we waited for the server: 1 with TLS 1.3, 2 with 1.2, 1 more where it asks for
  /// another hello.
  std::uint32_t round_trips = 0;
};

/// One connection's TLS. Of one thread.
class TlsSession {
 public:
  /// @param client outlives it.
  explicit TlsSession(const TlsClient& client);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// What the server has sent; appends what it says to `plain`.
  /// @return false: it is over (`failure`). There may be an alert to be sent.
  bool receive(std::string_view wire, std::string& plain);

  /// Appends to `wire` what there is of the handshake, and `plain`.
  /// @param plain empty until it is `established`.
  void take_output(std::string_view plain, std::string& wire);

  /// The connection has ended, as `why` says. Where it should have had a handshake, or the server
  /// was owed a certificate, that is a `failure`.
  void hung_up(const std::string& why);

  /// The handshake is done, and the server is who it was to be.
  bool established() const { return established_; }
  /// Once `established`.
  const TlsAgreement& agreement() const { return agreement_; }
  /// What went wrong, in words; empty: nothing.
  const std::string& failure() const { return failure_; }

 private:
  void shake_hands();
  void check_agreement();
  void fail(std::string why);
  std::string explained() const;

  const TlsClient& client_;
  ssl_st* ssl_;
  bio_st* in_;   // of ssl_
  bio_st* out_;  // of ssl_
  bool awaits_answer_ = false;
  bool established_ = false;
  bool owes_certificate_ = false;  // was asked for one, and has none
  std::string refusal_;            // of the certificate
  TlsAgreement agreement_;
  std::string failure_;
};

}  // namespace greetlab
