// Who is let in, and who is shown the door.
//
// gRPC accepts, reads and closes its connections itself, and asks nobody. So greet-server has the
// four functions by which it does so (accept4, recvmsg, sendmsg, close: gate.cc) itself, in front
// of the C library's: what a connection brings is looked at before gRPC sees it, and at no cost of
// a copy, a thread or a hop. The alternatives were measured by what they lack: a proxy in front
// hides the client's port, by which the lab joins the two views of a connection; gRPC's
// ExternalConnectionAcceptor gives the connection away before its first byte.
#pragma once

#include <cstddef>
#include <cstdint>

#include "greet/frame_watch.h"

namespace greetlab {

struct GateBounds {
  /// Of each connection.
  FrameBounds frames;
  /// What all calls under way may take of memory, by FrameWatch's estimate: 24 MiB are some 1,500
  /// calls. Above it, the connection whose calls take the most is cut.
  std::size_t memory = 24 * 1024 * 1024;
  /// At once, or as many as there are descriptors for; some 30 KiB each. Above it, the one that has
  /// been silent for longest, and for a second, and has no call, gives way to a new one; if none
  /// has, the new one is turned away.
  std::size_t connections = 500;
};

/// From now on, every connection that this process accepts keeps to these bounds: who meets one is
/// cut off. The first of each kind is told on standard error. A connection over TLS cannot be
/// looked into; it counts as a connection.
///
/// Unix sockets answer processes of this user and of root only.
///
/// To be called once, before the server starts.
void guard_connections(const GateBounds& bounds);

}  // namespace greetlab
