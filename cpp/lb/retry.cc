#include "lb/retry.h"

#include <algorithm>
#include <utility>

#include "trace/teller.h"

namespace greetlab {
namespace {

constexpr std::uint32_t kToken = 1000;

std::string throttled(const RetryThrottle& throttle) {
  return "too much has failed: " + Teller::thousandths(throttle.tokens()) + " of " +
         Teller::thousandths(throttle.most()) +
         " retry tokens are left, and it takes more than half of them";
}

std::string used_up(std::uint32_t most) {
  return "it was the last of " + std::to_string(most) + " attempts";
}

constexpr std::string_view kToldNotTo = "the server says not to (grpc-retry-pushback-ms)";

}  // namespace

// --- The tokens ----------------------------------------------------------------------------------

RetryThrottle::RetryThrottle(const RetryThrottling& config, const RetryThrottle* before)
    : most_(config.max_milli_tokens), ratio_(config.milli_ratio), tokens_(most_) {
  if (before != nullptr && before->most_ != 0) {
    tokens_ = static_cast<std::uint32_t>(std::uint64_t{most_} * before->tokens_ / before->most_);
  }
}

void RetryThrottle::give() {
  tokens_ = std::min(most_, tokens_ + ratio_);
}

void RetryThrottle::take() {
  tokens_ -= std::min(tokens_, kToken);
}

// --- The attempts --------------------------------------------------------------------------------

Retrying::Retrying(std::shared_ptr<const ServiceConfig> owner, const MethodConfig& config)
    : owner_(std::move(owner)),
      retry_(config.retry ? &*config.retry : nullptr),
      hedging_(config.hedging ? &*config.hedging : nullptr) {
  if (retry_ != nullptr) backoff_ = static_cast<double>(retry_->initial_backoff.count());
}

std::uint32_t Retrying::most() const {
  return std::min(hedges() ? hedging_->max_attempts : retry_->max_attempts,
                  RetryPolicy::kMostAttempts);
}

bool Retrying::may_hedge(const RetryThrottle* throttle) const {
  return hedges() && !no_more_ && begun_ < most() && (throttle == nullptr || throttle->allows());
}

Retrying::Verdict Retrying::judge(const Outcome& outcome, std::size_t under_way,
                                  RetryThrottle* throttle, Rng& rng) {
  if (outcome.status.ok()) {
    if (throttle != nullptr) throttle->give();
    return {};
  }
  return hedges() ? judge_hedge(outcome, under_way, throttle) : judge_retry(outcome, throttle, rng);
}

// In C-core's order (retry_filter_legacy_call_data.cc, `MaybeRetry`).
Retrying::Verdict Retrying::judge_retry(const Outcome& outcome, RetryThrottle* throttle, Rng& rng) {
  if (!retry_->retryable.test(static_cast<std::size_t>(outcome.status.code))) return {};
  // 1. Before anything else, so that each failure counts, whatever else stands against another try.
  if (throttle != nullptr) {
    throttle->take();
    if (!throttle->allows()) return {.refused = throttled(*throttle)};
  }
  // 2. Who has begun to answer may have done what was asked.
  if (outcome.begun) return {.refused = "the server had begun to answer: the call is committed"};
  // 3.
  if (begun_ >= most()) return {.refused = used_up(most())};
  // 4. What the server says stands before the backoff, which begins anew after it.
  if (outcome.pushback) {
    if (outcome.pushback->count() < 0) return {.refused = std::string(kToldNotTo)};
    backoff_ = static_cast<double>(retry_->initial_backoff.count());
    return {.over = false, .again_after = outcome.pushback, .pushback = true};
  }
  return {.over = false, .again_after = next_backoff(rng)};
}

// A6, "Hedging Policy".
Retrying::Verdict Retrying::judge_hedge(const Outcome& outcome, std::size_t under_way,
                                        RetryThrottle* throttle) {
  // 1. Any other code is an answer, and the first one counts.
  if (!hedging_->non_fatal.test(static_cast<std::size_t>(outcome.status.code))) return {};
  if (throttle != nullptr) throttle->take();
  // 2. Another one, at once or when the server says.
  std::string refused;
  if (outcome.pushback && outcome.pushback->count() < 0) {
    no_more_ = true;
    refused = kToldNotTo;
  } else if (throttle != nullptr && !throttle->allows()) {
    no_more_ = true;
    refused = throttled(*throttle);
  } else if (begun_ >= most()) {
    refused = used_up(most());
  }
  if (refused.empty() && !no_more_) {
    return {.over = false,
            .again_after = outcome.pushback.value_or(Duration{}),
            .pushback = outcome.pushback.has_value()};
  }
  // 3. Else those that are under way decide.
  return {.over = under_way == 0, .refused = std::move(refused)};
}

// min(initial * multiplier^(n-1), max), of which +-20 % are by chance (A6, "Exponential Backoff").
Duration Retrying::next_backoff(Rng& rng) {
  const auto most = static_cast<double>(retry_->max_backoff.count());
  const auto wait = static_cast<std::int64_t>(std::min(backoff_, most));
  backoff_ = std::min(backoff_ * retry_->backoff_multiplier, most);
  const auto spread = static_cast<std::uint64_t>(wait * 2 / 5);
  return Duration(wait * 4 / 5 + static_cast<std::int64_t>(rng.below(spread + 1)));
}

}  // namespace greetlab
