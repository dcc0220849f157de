#include "core/rng.h"

namespace greetlab {

std::uint64_t Rng::below(std::uint64_t bound) {
  // The lowest 2^64 mod bound values would make small results likelier: draw again when we hit one.
  const std::uint64_t excess = (0 - bound) % bound;
  std::uint64_t drawn = next();
  while (drawn < excess) drawn = next();
  return drawn % bound;
}

}  // namespace greetlab
