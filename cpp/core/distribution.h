// How long something takes, where it does not always take as long: a distribution, in one notation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/rng.h"
#include "core/time.h"

namespace greetlab {

/// A time of 0 or more: always the same, uniform between two, or exponential, which is what the
/// gaps between the requests of many independent clients are (a Poisson process), and what queueing
/// theory has formulas for.
class Distribution {
 public:
  /// Always this long.
  constexpr Distribution(Duration always = {}) : least_(always), most_(always) {}
  static constexpr Distribution uniform(Duration least, Duration most) {
    if (least == most) return least;
    return {Shape::uniform, least, most};
  }
  static constexpr Distribution exponential(Duration mean) {
    return {Shape::exponential, mean, mean};
  }

  Duration draw(Rng& rng) const { return is_constant() ? least_ : draw_random(rng); }
  Duration mean() const { return least_ + (most_ - least_) / 2; }
  /// It always takes as long: nothing is drawn.
  bool is_constant() const { return shape_ == Shape::constant; }
  /// It takes no time.
  bool is_zero() const { return most_.count() == 0; }

  /// As `parse_distribution` reads it: "20ms", "5ms..20ms", "exponential 20ms".
  std::string text() const;

  bool operator==(const Distribution&) const = default;

 private:
  enum class Shape : std::uint8_t { constant, uniform, exponential };

  constexpr Distribution(Shape shape, Duration least, Duration most)
      : shape_(shape), least_(least), most_(most) {}
  Duration draw_random(Rng& rng) const;

  Shape shape_ = Shape::constant;
  Duration least_;  // of an exponential one: the mean, and so is
  Duration most_;
};

/// Longer than this nobody waits, and two of them can be added.
inline constexpr Duration kLongestTime = std::chrono::hours(24 * 365);

/// What `parse_distribution` takes, for help texts.
inline constexpr const char* kDistributionForms = "20ms, 5ms..20ms (uniform), exponential 20ms";

/// Reads "20ms" (always), "5ms..20ms" (uniform between the two), "exponential 20ms" (the mean);
/// none above a year.
///
/// @throws std::invalid_argument naming the text and what was expected.
Distribution parse_distribution(std::string_view text);

}  // namespace greetlab
