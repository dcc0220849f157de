// The project's own random numbers: the same seed gives the same sequence with every compiler and
// standard library, which std::uniform_int_distribution and friends do not promise.
#pragma once

#include <cstdint>

namespace greetlab {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
/// Small, fast, passes BigCrush, and any seed is a good seed. A plain value: a copy goes on with
/// the same sequence.
class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed) : state_(seed) {}

  /// The next 64 random bits.
  constexpr std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound), without the bias of a plain modulo. `bound` must not be 0.
  std::uint64_t below(std::uint64_t bound);

  /// Uniform in [0, 1), with 53 random bits.
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace greetlab
