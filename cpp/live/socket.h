// A TCP connection of our own, without waiting for it.
#pragma once

#include <string>

#include "core/address.h"
#include "core/time.h"
#include "live/descriptor.h"

namespace greetlab {

struct Dialled {
  Descriptor fd;  ///< On its way: writable once it is connected, or has failed.
  int error = 0;  ///< errno, where the kernel refuses at once. There is no descriptor then.
};

struct SocketOptions {
  std::string source_ip;    ///< From which address; empty: the kernel chooses.
  Duration user_timeout{};  ///< TCP_USER_TIMEOUT, in whole milliseconds; 0: the kernel's own.
};

/// Begins to connect.
Dialled begin_to_connect(const Address& address, const SocketOptions& options);

/// How the attempt ended: errno, 0 for a connection.
int connect_error(const Descriptor& fd);

/// Our end: "127.0.0.1:40312". Empty if it is gone already.
std::string local_address(const Descriptor& fd);

/// @throws std::invalid_argument for what is no IP address, nor empty.
void require_source_ip(const std::string& source_ip);

}  // namespace greetlab
