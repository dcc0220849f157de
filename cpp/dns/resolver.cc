#include "dns/resolver.h"

#include <optional>
#include <utility>

#include "dns/blocking_poll.h"
#include "dns/walk.h"
#include "dns/wire.h"

namespace greetlab {

struct DnsResolver::Caller {
  explicit Caller(const ResolverConfig& config) : wire(poll, poll, config) {}

  BlockingPoll poll;
  DnsWire wire;
};

DnsResolver::DnsResolver(ResolverConfig config) : config_(std::move(config)) {
  idle_.push_back(std::make_unique<Caller>(config_));  // what makes no sense shows here
}

DnsResolver::~DnsResolver() = default;

std::unique_ptr<DnsResolver::Caller> DnsResolver::borrow() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Caller>(config_);
  std::unique_ptr<Caller> caller = std::move(idle_.back());
  idle_.pop_back();
  return caller;
}

Lookup DnsResolver::lookup(std::string name, std::vector<RecordType> types,
                           const Interrupt& interrupt) {
  constexpr std::chrono::milliseconds kTick{25};  // a signal may come just before the wait
  std::optional<Lookup> result;
  std::unique_ptr<Caller> caller = borrow();
  Walk::start(caller->wire, std::move(name), std::move(types),
              [&result](Lookup lookup) { result = std::move(lookup); });
  while (!result) {
    if (!interrupt) {
      caller->poll.run_once();
    } else if (!caller->poll.run_once(kTick)) {
      interrupt();  // if it throws, the wire goes, and the questions under way with it
    }
  }
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(caller));
  return *std::move(result);
}

}  // namespace greetlab
