#include "core/distribution.h"

#include <algorithm>
#include <stdexcept>

#include "core/duration.h"
#include "core/misuse.h"

namespace greetlab {
namespace {

constexpr std::string_view kExponential = "exponential ";

// An exponential variate of mean 1 without a logarithm, whose last bit differs from one C library
// to the next (von Neumann 1951, "Various techniques used in connection with random digits"): of
// uniform draws, each below the one before it, the run's length is odd with probability e^-u, where
// u is the first of them. Every even run adds 1.
double draw_exponential(Rng& rng) {
  for (double whole = 0;; ++whole) {
    const double first = rng.uniform();
    double last = first;
    bool odd = true;
    for (double next = rng.uniform(); next < last; next = rng.uniform()) {
      last = next;
      odd = !odd;
    }
    if (odd) return whole + first;
  }
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  misuse({"time '", text, "': ", why});
}

Duration part(std::string_view whole, std::string_view text) {
  try {
    const Duration duration = parse_duration(text);
    if (duration <= kLongestTime) return duration;
  } catch (const std::invalid_argument&) {
    refuse(whole, std::string("expected ") + kDistributionForms +
                      "; a number has its unit: 250us, 20ms, 1.5s, 5m, 1h");
  }
  refuse(whole, "a year at the most");
}

}  // namespace

Duration Distribution::draw_random(Rng& rng) const {
  if (shape_ == Shape::uniform) {
    const auto spread = static_cast<std::uint64_t>((most_ - least_).count());
    return least_ + Duration(static_cast<std::int64_t>(rng.below(spread + 1)));
  }
  constexpr double kMost = 4e18;  // two of them still fit into 63 bits of nanoseconds
  const double drawn = draw_exponential(rng) * static_cast<double>(least_.count());
  return Duration(static_cast<std::int64_t>(std::min(drawn, kMost)));
}

std::string Distribution::text() const {
  switch (shape_) {
    case Shape::constant: break;
    case Shape::uniform: return to_text(least_) + ".." + to_text(most_);
    case Shape::exponential: return std::string(kExponential) + to_text(least_);
  }
  return to_text(least_);
}

Distribution parse_distribution(std::string_view text) {
  if (text.starts_with(kExponential)) {
    return Distribution::exponential(part(text, text.substr(kExponential.size())));
  }
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) return part(text, text);
  const Duration least = part(text, text.substr(0, dots));
  const Duration most = part(text, text.substr(dots + 2));
  if (most < least) refuse(text, "the first is above the second");
  return Distribution::uniform(least, most);
}

}  // namespace greetlab
