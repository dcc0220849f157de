// Calls that try again: what becomes of a call after one of its attempts has ended (gRFC A6).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/rng.h"
#include "lb/connector.h"
#include "lb/service_config.h"

namespace greetlab {

/// A6, "Throttling Retry Attempts and Hedged RPCs": a channel's tokens. Where most calls fail, the
/// servers are the wrong ones to be asked again: that is how a storm begins.
class RetryThrottle {
 public:
  /// @param before the one whose place it takes; it begins as full as that one was (C-core's
  ///        `ServerRetryThrottleData`), else full.
  explicit RetryThrottle(const RetryThrottling& config, const RetryThrottle* before = nullptr);

  /// A call succeeded.
  void give();
  /// An attempt failed in a way that might be tried again.
  void take();
  /// Whether anything may be tried again: more than half of the tokens are left.
  bool allows() const { return tokens_ > most_ / 2; }

  /// In thousandths of a token.
  std::uint32_t tokens() const { return tokens_; }
  std::uint32_t most() const { return most_; }

 private:
  const std::uint32_t most_;
  const std::uint32_t ratio_;
  std::uint32_t tokens_;
};

/// The attempts at one call: its method has a retryPolicy, or a hedgingPolicy. Attempts of which
/// the server has seen nothing are made again apart from these (A6, "Transparent Retries"), and not
/// counted here.
class Retrying {
 public:
  /// @param config has one of them, and lives as long as `owner`.
  Retrying(std::shared_ptr<const ServiceConfig> owner, const MethodConfig& config);

  bool hedges() const { return hedging_ != nullptr; }
  /// Of the next attempt, from when the last one was sent; hedging only.
  Duration hedging_delay() const { return hedging_->delay; }

  /// An attempt is begun.
  void begin() { ++begun_; }
  /// How many were.
  std::uint32_t begun() const { return begun_; }

  /// Whether another one may be begun before the last has ended: hedging only.
  bool may_hedge(const RetryThrottle* throttle) const;

  /// What follows from the end of an attempt.
  struct Verdict {
    /// The call is over, with the attempt's end; if not, it goes on: with another attempt, or with
    /// those that are under way.
    bool over = true;
    std::optional<Duration> again_after = std::nullopt;  ///< Another one is begun then.
    bool pushback = false;                               ///< It is the server that says when.
    /// Why none is, where the code alone would have asked for one.
    std::string refused = {};
  };

  /// @param under_way how many others are. throttle: nullptr: none; tokens are given and taken.
  Verdict judge(const Outcome& outcome, std::size_t under_way, RetryThrottle* throttle, Rng& rng);

 private:
  Verdict judge_retry(const Outcome& outcome, RetryThrottle* throttle, Rng& rng);
  Verdict judge_hedge(const Outcome& outcome, std::size_t under_way, RetryThrottle* throttle);
  Duration next_backoff(Rng& rng);
  std::uint32_t most() const;

  const std::shared_ptr<const ServiceConfig> owner_;
  const RetryPolicy* const retry_;      // one of the two
  const HedgingPolicy* const hedging_;  // if there are both, this one
  std::uint32_t begun_ = 0;
  bool no_more_ = false;  // hedging: the server, or the tokens, have said so
  double backoff_ = 0;    // the next one, nanoseconds, without its jitter
};

}  // namespace greetlab
