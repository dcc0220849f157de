// A resolver that asks when it is told to, but not too often.
#pragma once

#include <memory>

#include "core/clock.h"
#include "core/rng.h"
#include "lb/backoff.h"
#include "lb/resolver.h"

namespace greetlab {

/// How gRPC uses DNS (grpc/grpc `polling_resolver.cc`): it asks at the start, and from then on only
/// when somebody wants newer addresses, which is when a connection was lost or could not be made.
/// It never polls, whatever the TTL says: as long as all is well, nothing is ever looked up again.
class PollingResolver final : public Resolver {
 public:
  /// What it needs of the world. All of them outlive it.
  struct Ports {
    Clock& clock;
    Rng& rng;
    Trace& trace;
    Symbol who;
  };

  PollingResolver(Ports ports, std::unique_ptr<NameLookup> lookup, Duration cooldown);

  void start(Watcher& watcher, EventId cause) override;
  void refresh(EventId cause) override;

 private:
  void maybe_look_up(EventId cause);
  void look_up(EventId cause);
  void on_resolution(const Resolution& answer, EventId cause);

  Ports ports_;
  std::unique_ptr<NameLookup> lookup_;
  const Duration cooldown_;
  Watcher* watcher_ = nullptr;
  bool started_once_ = false;
  bool looking_up_ = false;
  bool answering_ = false;        // the watcher is being told
  bool asked_meanwhile_ = false;  // ... and has asked for another lookup
  Time last_start_{};
  Backoff backoff_;
  Timer timer_;  // the next lookup, while one is put off
  bool put_off_ = false;
};

}  // namespace greetlab
