// How many sockets a process may have.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <cstdint>

namespace greetlab {

/// Raises the soft limit, which is usually 1024, to the hard one.
/// @return how many descriptors this process may have.
inline std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return SIZE_MAX;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  return limit.rlim_cur;
}

}  // namespace greetlab
