// What a channel is made with, in whichever world. Each of these options, its default and its help
// stand here and nowhere else: Python and the command lines have them from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/time.h"
#include "lb/keepalive.h"
#include "lb/policy.h"
#include "lb/service_config.h"

namespace greetlab {

/// TLS, by the names of PEM files.
struct TlsOptions {
  bool on = false;
  std::string ca;
  std::string cert;
  std::string key;
  std::string server_name;
};

struct ChannelOptions {
  std::string target;
  PolicyConfig policy;
  /// What else the channel is to do, where the resolver brings no config; its policy, if it has
  /// one, stands before `policy`. nullptr: nothing.
  std::shared_ptr<const ServiceConfig> service_config;
  Duration cooldown = std::chrono::seconds(30);
  KeepaliveConfig keepalive;
  Duration idle_timeout = std::chrono::minutes(30);
  bool dns_service_config = false;
  std::string kubeconfig;
  /// Of a target "xds:///...", which gRPC's own channels have: what GRPC_XDS_BOOTSTRAP_CONFIG would
  /// say (gRFC A27); empty: gRPC reads its environment.
  std::string xds_bootstrap;
  bool connection_per_call = false;
  std::string source_ip;
  bool frames = false;
  TlsOptions tls;
  std::optional<std::uint64_t> seed;
  /// Its name in the trace.
  std::string name = "client-1";
  std::size_t trace_capacity = kTraceCapacity;
  /// Hears of each event in place of keeping them. Outlives the channel.
  Trace::Listener* listener = nullptr;

  /// Calls `f(name, member, help)` for each that is known by its name.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    // GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS
    f("cooldown", self.cooldown, "least time from one lookup's start to the next one's");
    // GRPC_ARG_KEEPALIVE_TIME_MS, _TIMEOUT_MS, _PERMIT_WITHOUT_CALLS
    f("keepalive_time", self.keepalive.time,
      "how long a server may be silent before it is sent a PING (gRFC A8), while calls are in "
      "flight; 0: it never is, and a peer that vanishes is noticed when TCP gives up, after a "
      "quarter of an hour, or never where nothing is being sent");
    f("keepalive_timeout", self.keepalive.timeout,
      "how long it may go on being silent then before the connection is closed; with keepalive, "
      "also how long what was sent may stay unacknowledged (TCP_USER_TIMEOUT, gRFC A18)");
    f("keepalive_without_calls", self.keepalive.without_calls,
      "send it PINGs while no call is in flight, too; a server that did not agree to it closes the "
      "connection: too_many_pings");
    // GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS
    f("idle_timeout", self.idle_timeout,
      "after so long without a call the channel is IDLE: it closes its connections, and the next "
      "call looks the name up anew; 0: never");
    // GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, turned round
    f("dns_service_config", self.dns_service_config,
      "ask DNS for a service config, too, which then stands before the channel's own (gRFC A2: the "
      "TXT records of \"_grpc_config.\" and the name)");
    f("kubeconfig", self.kubeconfig,
      "of a target k8s:///service.namespace:port: the file that says where the Kubernetes API is, "
      "and who we are there; empty: $KUBECONFIG, the pod's own account, or ~/.kube/config");
    f("connection_per_call", self.connection_per_call,
      "look up and dial anew for every call, and hang up after it, as the worst of clients do");
    f("source_ip", self.source_ip,
      "the address to connect from, such as 127.9.9.1, where it matters who a client is, as to "
      "session "
      "affinity; empty: the kernel chooses, and on loopback all clients look alike");
    f("frames", self.frames,
      "tell every HTTP/2 frame on its connections, with its first bytes (FrameSeen): some six a "
      "call");
    f("tls", self.tls.on,
      "speak TLS, and call only servers whose certificate says the target's name, whatever address "
      "that was looked up to");
    f("ca", self.tls.ca,
      "the file (PEM) of the authorities whose certificates are trusted; empty: the system's");
    f("cert", self.tls.cert,
      "the file (PEM) of the certificate that a server is shown if it asks for one (mTLS)");
    f("key", self.tls.key, "the file (PEM) of that certificate's private key");
    f("server_name", self.tls.server_name,
      "the name that the server's certificate must say, and that calls are for, in place of the "
      "target's");
    f("seed", self.seed, "of what is random in our own engine; none: another one each time");
    f("trace_capacity", self.trace_capacity, kTraceCapacityHelp);
  }
};

}  // namespace greetlab
