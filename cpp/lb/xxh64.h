// XXH64, the hash that gRPC's policies agree on (gRFC A42, A68): the same text has the same number
// in every language.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace greetlab {

/// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
constexpr std::uint64_t xxh64(std::string_view text, std::uint64_t seed = 0) {
  constexpr std::uint64_t kPrime[] = {0,
                                      0x9E3779B185EBCA87,
                                      0xC2B2AE3D27D4EB4F,
                                      0x165667B19E3779F9,
                                      0x85EBCA77C2B2AE63,
                                      0x27D4EB2F165667C5};
  const auto read = [&](std::size_t at, std::size_t bytes) {  // little-endian, on every machine
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    }
    return value;
  };
  const auto round = [&](std::uint64_t lane, std::uint64_t input) {
    return std::rotl(lane + input * kPrime[2], 31) * kPrime[1];
  };
  std::size_t at = 0;
  std::uint64_t hash = seed + kPrime[5];
  if (text.size() >= 32) {
    std::uint64_t lanes[] = {seed + kPrime[1] + kPrime[2], seed + kPrime[2], seed,
                             seed - kPrime[1]};
    for (; at + 32 <= text.size(); at += 32) {
      for (std::size_t i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read(at + 8 * i, 8));
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime[1] + kPrime[4];
  }
  hash += text.size();
  for (; at + 8 <= text.size(); at += 8) {
    hash = std::rotl(hash ^ round(0, read(at, 8)), 27) * kPrime[1] + kPrime[4];
  }
  if (at + 4 <= text.size()) {
    hash = std::rotl(hash ^ read(at, 4) * kPrime[1], 23) * kPrime[2] + kPrime[3];
    at += 4;
  }
  for (; at < text.size(); ++at) hash = std::rotl(hash ^ read(at, 1) * kPrime[5], 11) * kPrime[1];
  hash = (hash ^ hash >> 33) * kPrime[2];
  hash = (hash ^ hash >> 29) * kPrime[3];
  return hash ^ hash >> 32;
}

}  // namespace greetlab
