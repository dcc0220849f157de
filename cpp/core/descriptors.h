// Descriptors to wait for: a port. The live world's epoll, or the poll(2) of a caller who waits.
#pragma once

#include <cstdint>

namespace greetlab {

/// Belongs to the thread of the clock beside it, as all that it tells does.
class Descriptors {
 public:
  /// What a descriptor's events are told to.
  class Source {
   public:
    virtual ~Source() = default;
    /// @param events of poll(2)'s, which are epoll's: errors and hang-ups come unasked.
    virtual void on_ready(std::uint32_t events) = 0;
  };

  virtual ~Descriptors() = default;

  /// @param events POLLIN, POLLOUT: told for as long as they hold.
  /// @param source outlives it, or until `forget`.
  /// @return errno; 0: all is well.
  virtual int watch(int fd, std::uint32_t events, Source& source) = 0;
  /// For others from now on.
  virtual void change(int fd, std::uint32_t events, Source& source) = 0;
  /// Before the descriptor is closed. The source is told nothing any more.
  virtual void forget(int fd, const Source& source) = 0;
};

}  // namespace greetlab
