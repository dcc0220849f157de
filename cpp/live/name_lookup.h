// A channel's name lookups, in real DNS.
#pragma once

#include <memory>
#include <string>

#include "core/rng.h"
#include "dns/wire.h"
#include "lb/resolver.h"
#include "live/loop.h"
#include "live/target.h"

namespace greetlab {

/// Asks for A and AAAA of a target's name; or for its SRV first, and then for A and AAAA of each
/// host that it names: those of the lowest priority, as RFC 2782 has it, whatever their weight. If
/// it is told to, also for the TXT of "_grpc_config." and the name (gRFC A2): where that fails, the
/// lookup does not, and there is no config, as in C-core.
///
/// c-ares' sockets are descriptors of the loop. Facts of the queries are told when the lookup has
/// ended.
class LiveNameLookup final : public NameLookup {
 public:
  /// All of them outlive it.
  /// @param rng for the draw among a service config's choices; nullptr: it is not asked for.
  LiveNameLookup(Loop& loop, DnsWire& wire, Trace& trace, Symbol who, const Target& target,
                 Rng* rng);

  void lookup(EventId cause, Done done) override;

 private:
  struct Question;

  void ask(const std::shared_ptr<Question>& question, const std::string& name,
           std::vector<RecordType> types, std::uint16_t port);
  void ask_config(const std::shared_ptr<Question>& question);
  void tell(const Question& question, const Lookup& answer);
  void on_resolution(const std::shared_ptr<Question>& question, const Lookup& answer,
                     std::uint16_t port);
  void finish(const Question& question);

  Loop& loop_;
  DnsWire& wire_;
  Trace& trace_;
  const Symbol who_;
  const Target& target_;
  Rng* const rng_;
  // Gone when we are: an answer that comes later is for nobody.
  const std::shared_ptr<const int> alive_ = std::make_shared<const int>();
};

}  // namespace greetlab
