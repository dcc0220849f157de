// Looks names up in DNS while the caller waits, and keeps every step for you to see.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/lookup.h"
#include "dns/resolver_config.h"

namespace greetlab {

/// A stub resolver on c-ares (`Walk` has its rules, and how long they can take). It caches nothing,
/// and each lookup shows every query it took. Any thread may call it, and moves the sockets itself
/// while it waits: who has a loop starts a `Walk` there.
class DnsResolver {
 public:
  /// Called while `lookup` waits, at least every 25 ms. Ends the lookup by throwing.
  using Interrupt = std::function<void()>;

  /// @throws std::invalid_argument if a part of the configuration makes no sense, naming it;
  ///         std::runtime_error if c-ares will not start.
  explicit DnsResolver(ResolverConfig config);
  ~DnsResolver();

  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  const ResolverConfig& config() const { return config_; }

  /// @throws std::invalid_argument for an empty name or no types, before anything is sent; and
  ///         whatever `interrupt` throws.
  Lookup lookup(std::string name, std::vector<RecordType> types, const Interrupt& interrupt = {});

 private:
  struct Caller;

  std::unique_ptr<Caller> borrow();

  const ResolverConfig config_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Caller>> idle_;  // for the callers to come, one each
};

}  // namespace greetlab
