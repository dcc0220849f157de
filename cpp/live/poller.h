// The descriptors that a loop waits for.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/descriptors.h"
#include "core/time.h"
#include "live/descriptor.h"

namespace greetlab {

/// epoll. Of one thread, except `wake`.
class Poller final : public Descriptors {
 public:
  /// @throws std::system_error if the kernel has no descriptors left.
  Poller();

  int watch(int fd, std::uint32_t events, Source& source) override;
  void change(int fd, std::uint32_t events, Source& source) override;
  void forget(int fd, const Source& source) override;

  /// Waits until there is something, or `wake`, or the moment `until`; or returns before it.
  void wait(Time now, Time until);
  /// Tells what `wait` has found.
  void tell();

  /// Makes `wait` return. From any thread.
  void wake();

 private:
  // How many are taken at once. All are read before what they lead to is written: so what several
  // calls send on one connection goes out together.
  static constexpr std::size_t kBatch = 256;

  Descriptor epoll_;
  Descriptor wake_;   // an eventfd
  Descriptor timer_;  // a timerfd: epoll itself counts in milliseconds
  Time timer_at_ = kNever;
  std::array<epoll_event, kBatch> found_{};
  std::size_t count_ = 0;
};

}  // namespace greetlab
