#include "live/poller.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <ctime>
#include <ratio>
#include <system_error>
#include <utility>

namespace greetlab {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

epoll_event event_of(std::uint32_t events, Poller::Source* source) {
  return {.events = events, .data = {.ptr = source}};
}

}  // namespace

Poller::Poller()
    : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      timer_(checked(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd")) {
  // By their edges: then they need not be read.
  epoll_event event = event_of(EPOLLIN | EPOLLET, nullptr);
  for (const int fd : {wake_.get(), timer_.get()}) {
    checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
  }
}

int Poller::watch(int fd, std::uint32_t events, Source& source) {
  epoll_event event = event_of(events, &source);
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void Poller::change(int fd, std::uint32_t events, Source& source) {
  epoll_event event = event_of(events, &source);
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::forget(int fd, const Source& source) {
  // Closing alone would not do it where a forked child has the descriptor, too.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (std::size_t i = 0; i < count_; ++i) {
    if (found_[i].data.ptr == &source) found_[i].data.ptr = nullptr;
  }
}

void Poller::wait(Time now, Time until) {
  if (timer_at_ <= now) timer_at_ = kNever;  // it has gone off
  // One that goes off too early costs less than to set it anew for every wait.
  if (until > now && until < timer_at_) {
    const auto at = until.time_since_epoch().count();
    const itimerspec once{{}, {at / std::nano::den, at % std::nano::den}};
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &once, nullptr);
    timer_at_ = until;
  }
  const int found = epoll_wait(epoll_.get(), found_.data(), kBatch, until > now ? -1 : 0);
  count_ = found < 0 ? 0 : static_cast<std::size_t>(found);  // a signal came
}

void Poller::tell() {
  for (std::size_t i = 0; i < count_; ++i) {
    if (auto* const source = static_cast<Source*>(found_[i].data.ptr)) {
      source->on_ready(found_[i].events);
    }
  }
  count_ = 0;
}

void Poller::wake() {
  eventfd_write(wake_.get(), 1);
}

}  // namespace greetlab
