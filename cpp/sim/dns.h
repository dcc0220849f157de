// The virtual cluster's DNS: a table, and the time that it takes to ask it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/lookup.h"
#include "core/rng.h"
#include "lb/resolver.h"
#include "trace/trace.h"

namespace greetlab {

struct SimDnsConfig {
  /// From a question to its answer; each is drawn from +-20 %.
  Duration round_trip = std::chrono::microseconds(500);
  /// Of every record, seconds.
  std::uint32_t ttl = 5;
  /// Whether a cache between the pods and the DNS (CoreDNS's `cache`, NodeLocal DNSCache) gives
  /// out an answer again until its TTL has passed, however old it is by then.
  bool cache = false;
  /// Whom the pods ask.
  Address server{"10.96.0.10", 53};
};

/// Answers with what Kubernetes' DNS would: the addresses of a name, of each family shuffled;
/// NXDOMAIN for a name that is not there.
class SimDns {
 public:
  using Done = std::function<void(const Lookup&, EventId cause)>;

  /// All of them outlive it.
  SimDns(Clock& clock, Rng& rng, Trace& trace, SimDnsConfig config);

  /// From now on. What a cache has it keeps, for as long as it was to.
  void change(const SimDnsConfig& config) { config_ = config; }

  /// The addresses of an absolute name, without the final dot. None: the name is not there.
  void set(const std::string& name, std::vector<std::string> addresses);

  /// The TXT record of "_grpc_config." and that name (gRFC A2). Empty: there is none.
  void set_config(const std::string& name, std::string record);

  /// Looks a name up as a pod would, search list and all: A and AAAA of each name in turn, until
  /// one exists. Emits LookupStarted, each QueryAnswered, LookupEnded.
  ///
  /// @param config asks for the name's service config, too: TXT.
  /// @param alive the lookup is given up, and `done` not called, once this is gone.
  void lookup(std::string_view name, bool config, Symbol who, EventId cause,
              std::weak_ptr<const void> alive, Done done);

  /// Questions answered, ever.
  std::uint64_t queries() const { return queries_; }

 private:
  class Walk;

  struct Cached {
    std::vector<std::string> addresses;
    Time until;
  };

  std::vector<std::string> answer(const std::string& name);

  Clock& clock_;
  Rng& rng_;
  Trace& trace_;
  SimDnsConfig config_;
  std::map<std::string, std::vector<std::string>> table_;
  std::map<std::string, std::string> configs_;
  std::map<std::string, Cached> cache_;
  std::uint64_t queries_ = 0;
};

/// A channel's lookups of one name and port.
class SimNameLookup final : public NameLookup {
 public:
  /// @param read_config what it reads TXT records with; empty: it does not ask for them. rng: for
  /// its
  ///        draw. dns, rng: outlive it.
  SimNameLookup(SimDns& dns, Rng& rng, std::string name, std::uint16_t port, Symbol who,
                ReadTxtConfig read_config);

  void lookup(EventId cause, Done done) override;

 private:
  SimDns& dns_;
  Rng& rng_;
  const std::string name_;
  const std::uint16_t port_;
  const Symbol who_;
  const ReadTxtConfig read_config_;
  const std::shared_ptr<const int> alive_ = std::make_shared<const int>();
};

}  // namespace greetlab
