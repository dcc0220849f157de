// One lookup on its way: through the names of the search list, the servers and the transports.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/lookup.h"
#include "dns/resolver_config.h"
#include "dns/wire.h"

namespace greetlab {

/// What a stub resolver does with a name, step by step:
///
/// 1. The names of the search list are tried in order (`search_list`, resolv.conf(5)).
/// 2. A name is asked for all types at once, as glibc and gRPC ask for A and AAAA. Each of these
///    questions goes its own way through the servers:
///    - no reply, a broken one, SERVFAIL, REFUSED or NOTIMP: the next server (RFC 1034 5.3.3), as
///      many times round as there are `attempts`;
///    - a truncated reply: the same server again, over TCP (RFC 7766 5).
/// 3. Any type has records: that is the answer. Every type came back NXDOMAIN or without data: the
///    next name. Anything else ends the lookup, because the name may well exist: going on could
///    find another one of the same beginning.
/// 4. No name left: `no_data` if any of them existed, else `nxdomain`.
///
/// Whatever the servers do, it ends: a question over one transport takes a `timeout` at the most,
/// so a type takes `servers * attempts * 2` of them for a name (2: UDP, then TCP), and the types go
/// side by side. Servers that are silent end it after `servers * attempts` timeouts, at the first
/// name. Only who answers each name at the last moment brings all of the search list into it:
/// `names * servers * attempts * 2` timeouts.
class Walk : public std::enable_shared_from_this<Walk> {
 public:
  using Done = std::function<void(Lookup)>;

  /// Starts a lookup, which lives until `done` was called: on the wire's thread, never before this
  /// has returned, or as `wire` is destroyed, with `cancelled`. `done` may start another one, and
  /// must neither throw nor destroy the wire.
  ///
  /// @throws std::invalid_argument for an empty name or no types, before anything is sent.
  static void start(DnsWire& wire, std::string name, std::vector<RecordType> types, Done done);

 private:
  /// The way of one type through the servers.
  struct Question {
    RecordType type;
    std::size_t tries = 0;  ///< Servers given up on.
    std::size_t last = 0;   ///< Its latest query, in `lookup_.queries`.
  };

  Walk(DnsWire& wire, std::string name, std::vector<RecordType> types, Done done);

  void ask_next_name();
  void ask(Question& question, DnsTransport transport);
  void on_answer(Question& question);
  void settle_name();
  void collect_answers();
  void finish(DnsStatus status);

  DnsWire& wire_;
  const ResolverConfig& config_;
  const Done done_;
  const std::vector<std::string> names_;
  std::size_t next_name_ = 0;
  bool any_name_exists_ = false;
  std::vector<Question> questions_;  // of the name in turn
  std::size_t unanswered_ = 0;       // of these
  Lookup lookup_;
};

}  // namespace greetlab
