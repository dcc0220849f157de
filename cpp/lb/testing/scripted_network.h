// A network that does nothing until it is told to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "lb/connector.h"
#include "trace/trace.h"

namespace greetlab {

/// Dials whatever it is asked to, and then waits: whoever holds it says which attempt comes off,
/// which fails, which connection breaks, and what servers say of their health and their load.
class ScriptedNetwork final : public Connector {
 public:
  /// An attempt, then a connection. It carries no calls.
  class ScriptedLink;

  /// Both outlive it, and it outlives its links.
  ScriptedNetwork(const Clock& clock, Trace& trace) : clock_(clock), trace_(trace) {}

  std::unique_ptr<Link> dial(const Dial& dial, Link::Watcher& watcher) override;

  // Addresses are as in bench_address.h.
  // @throws std::invalid_argument where there is no such attempt or connection.
  /// The attempt comes off.
  void ready(const std::string& address);
  /// The attempt fails.
  void fail(const std::string& address, const std::string& reason);
  /// The connection breaks.
  void lose(const std::string& address);
  /// The server says how it is, to who watches its health.
  void health(const std::string& address, Health health);
  /// The stream on which it does ends.
  void end_health(const std::string& address, const Status& why);
  /// It tells its load, to who watches that.
  void load(const std::string& address, const LoadReport& load);

  /// The addresses that are being dialled, in the order of dialling.
  std::vector<std::string> connecting() const;
  /// Of whose health which service is watched, and whose load how often, as "a: health of x" and
  /// "a: load every 1s": every stream ever.
  const std::vector<std::string>& streams() const { return streams_; }
  /// Every attempt ever: seconds since the beginning, and the address.
  const std::vector<std::pair<double, std::string>>& dials() const { return dials_; }

 private:
  ScriptedLink& find(std::string_view act, const std::string& address, bool connected) const;

  const Clock& clock_;
  Trace& trace_;
  std::vector<ScriptedLink*> links_;  // those that live, in the order of dialling
  std::vector<std::pair<double, std::string>> dials_;
  std::vector<std::string> streams_;
};

}  // namespace greetlab
