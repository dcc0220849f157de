// Whom a resolver asks, how long it waits, and which names it tries.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/address.h"

namespace greetlab {

/// What resolv.conf(5) can say, with its defaults.
struct ResolverConfig {
  std::vector<Address> servers;     ///< Asked in this order.
  std::vector<std::string> search;  ///< See `search_list`.
  int ndots = 1;
  std::chrono::milliseconds timeout{5000};  ///< How long each question waits for its reply.
  int attempts = 2;                         ///< Times round the list of servers.
};

/// Reads a resolv.conf(5): nameserver, search, domain, and the options ndots, timeout and attempts.
/// A file that names no server means the one on this machine.
///
/// @throws std::runtime_error naming the file, if it cannot be read.
ResolverConfig system_resolver_config(const std::string& path = "/etc/resolv.conf");

}  // namespace greetlab
