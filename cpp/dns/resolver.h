// Looks names up in DNS, and keeps every step for you to see.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/lookup.h"
#include "dns/resolver_config.h"

namespace greetlab {

class DnsWire;

/// A stub resolver on c-ares (`Walk` has its rules, and how long they can take). It caches nothing,
/// and each lookup shows every query it took. Any thread may call it.
class DnsResolver {
 public:
  /// Called while `lookup_now` waits, at least every 25 ms. Ends the lookup by throwing.
  using Interrupt = std::function<void()>;

  /// @throws std::invalid_argument if a part of the configuration makes no sense, naming it;
  ///         std::runtime_error if c-ares or the kernel will not start.
  explicit DnsResolver(ResolverConfig config);

  /// Lookups under way end as `cancelled`, before this returns.
  ~DnsResolver();

  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  const ResolverConfig& config() const { return config_; }

  /// Starts a lookup; `done` gets it on the resolver's own thread, which the first call starts.
  /// `done` must not throw, and must not destroy the resolver.
  ///
  /// @throws std::invalid_argument for an empty name or no types, before anything is sent.
  void lookup(std::string name, std::vector<RecordType> types, std::function<void(Lookup)> done);

  /// Looks up while the caller waits. The caller's own thread moves the sockets: handing over to
  /// another and back would cost as much as the lookup itself.
  ///
  /// @throws as `lookup` does, and whatever `interrupt` throws.
  Lookup lookup_now(std::string name, std::vector<RecordType> types,
                    const Interrupt& interrupt = {});

 private:
  struct Asked {
    std::string name;
    std::vector<RecordType> types;
    std::function<void(Lookup)> done;
  };

  std::unique_ptr<DnsWire> borrow_wire();
  void run();

  const ResolverConfig config_;

  std::mutex mutex_;                                  // of everything below
  std::vector<std::unique_ptr<DnsWire>> idle_wires_;  // for callers of lookup_now, one each
  std::vector<Asked> asked_;                          // and not yet started by the thread
  bool closing_ = false;
  std::unique_ptr<DnsWire> thread_wire_;
  std::thread thread_;
};

}  // namespace greetlab
