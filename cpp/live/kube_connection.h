// A Kubernetes API server, over HTTP/2.
#pragma once

#include <memory>
#include <string>

#include "dns/wire.h"
#include "kube/access.h"
#include "kube/kube_api.h"
#include "live/loop.h"
#include "live/name_lookup.h"
#include "live/target.h"
#include "live/tls.h"

namespace greetlab {

/// Has one connection for all that is asked of it, which it dials when it is asked for something
/// and has none. Over TLS, HTTP/2 is agreed on by ALPN, as every API server does that was not told
/// otherwise
/// (--disable-http2-serving); without TLS it is spoken at once (RFC 9113 3.3).
///
/// A server that is silent for 30 s is sent a PING, and is dead after 15 s more: client-go's
/// numbers (HTTP2_READ_IDLE_TIMEOUT_SECONDS, HTTP2_PING_TIMEOUT_SECONDS). Without it, nobody would
/// notice that the one who tells of all changes has vanished.
class KubeConnection final : public KubeApi {
 public:
  /// @param loop, trace outlive it. who: looks its name up, in the trace.
  /// @throws std::invalid_argument for certificates that are none.
  KubeConnection(Loop& loop, Trace& trace, Symbol who, KubeAccess access);
  ~KubeConnection() override;

  const KubeAccess& access() const { return access_; }

  std::unique_ptr<Request> get(std::string path, EventId cause, Reader& reader) override;
  std::string name() const override { return access_.name(); }

 private:
  class Link;
  class Exchange;

  void dial(Link& link, EventId cause);

  Loop& loop_;
  const KubeAccess access_;
  const Target host_;
  const std::unique_ptr<const TlsClient> tls_;
  DnsWire dns_;
  LiveNameLookup lookup_;
  std::shared_ptr<Link> link_;    // nullptr, or of no use any more: the next request dials
  std::size_t failed_dials_ = 0;  // in a row: which of several addresses is next
};

}  // namespace greetlab
