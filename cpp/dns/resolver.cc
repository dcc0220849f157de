#include "dns/resolver.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "dns/walk.h"
#include "dns/wire.h"

namespace greetlab {
namespace {

ResolverConfig checked(ResolverConfig config) {
  const auto need = [](bool holds, const char* what, const std::string& value) {
    if (!holds) throw std::invalid_argument("resolver: " + std::string(what) + ", not " + value);
  };
  need(config.timeout.count() >= 1, "the timeout must be at least 1 ms",
       std::to_string(config.timeout.count()) + " ms");
  need(config.attempts >= 1, "attempts must be at least 1", std::to_string(config.attempts));
  need(config.ndots >= 0, "ndots must be at least 0", std::to_string(config.ndots));
  return config;
}

void check(const std::string& name, const std::vector<RecordType>& types) {
  if (name.empty()) throw std::invalid_argument("lookup: the name is empty");
  if (types.empty()) {
    throw std::invalid_argument("lookup of '" + name + "': no record types (use A, AAAA or SRV)");
  }
}

Lookup cancelled(std::string name) {
  Lookup lookup;
  lookup.name = std::move(name);
  lookup.status = DnsStatus::cancelled;
  return lookup;
}

}  // namespace

DnsResolver::DnsResolver(ResolverConfig config) : config_(checked(std::move(config))) {
  idle_wires_.push_back(std::make_unique<DnsWire>(config_));  // a bad server shows here
}

DnsResolver::~DnsResolver() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    if (thread_wire_) thread_wire_->wake();
  }
  if (thread_.joinable()) thread_.join();
}

void DnsResolver::lookup(std::string name, std::vector<RecordType> types,
                         std::function<void(Lookup)> done) {
  check(name, types);
  std::unique_lock lock(mutex_);
  if (closing_) {  // a `done` that was just cancelled asks for more
    lock.unlock();
    return done(cancelled(std::move(name)));
  }
  if (!thread_wire_) {
    auto wire = std::make_unique<DnsWire>(config_);
    thread_ = std::thread(&DnsResolver::run, this);  // it waits for the lock; or none could be made
    thread_wire_ = std::move(wire);
  }
  asked_.push_back({std::move(name), std::move(types), std::move(done)});
  // The thread takes all that has gathered, so only the first of a batch needs to wake it; and from
  // a `done` it is awake.
  const bool from_outside = std::this_thread::get_id() != thread_.get_id();
  if (asked_.size() == 1 && from_outside) thread_wire_->wake();
}

void DnsResolver::run() {
  std::vector<Asked> taken;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (closing_) break;
      taken.swap(asked_);
    }
    for (Asked& asked : taken) {
      Walk::start(*thread_wire_, config_, std::move(asked.name), std::move(asked.types),
                  std::move(asked.done));
    }
    taken.clear();
    thread_wire_->run_once();
  }
  // Whatever is under way is answered `cancelled`; what never started, too.
  thread_wire_.reset();
  for (Asked& asked : asked_) asked.done(cancelled(std::move(asked.name)));
}

std::unique_ptr<DnsWire> DnsResolver::borrow_wire() {
  const std::lock_guard lock(mutex_);
  if (idle_wires_.empty()) return std::make_unique<DnsWire>(config_);
  std::unique_ptr<DnsWire> wire = std::move(idle_wires_.back());
  idle_wires_.pop_back();
  return wire;
}

Lookup DnsResolver::lookup_now(std::string name, std::vector<RecordType> types,
                               const Interrupt& interrupt) {
  constexpr std::chrono::milliseconds kTick{25};  // a signal may come just before the wait
  check(name, types);
  std::optional<Lookup> result;
  std::unique_ptr<DnsWire> wire = borrow_wire();
  Walk::start(*wire, config_, std::move(name), std::move(types),
              [&result](Lookup lookup) { result = std::move(lookup); });
  while (!result) {
    if (!interrupt) {
      wire->run_once();
    } else if (!wire->run_once(kTick)) {
      interrupt();  // if it throws, the wire goes, and the questions under way with it
    }
  }
  const std::lock_guard lock(mutex_);
  idle_wires_.push_back(std::move(wire));
  return *std::move(result);
}

}  // namespace greetlab
