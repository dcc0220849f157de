#include "live/poller.h"

#include <sys/eventfd.h>

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
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  // By its edge: then it need not be read.
  epoll_event event = event_of(EPOLLIN | EPOLLET, nullptr);
  checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event), "epoll_ctl");
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

void Poller::wait(Duration at_most) {
  timespec limit{};
  if (at_most.count() > 0) {
    limit = {at_most.count() / std::nano::den, at_most.count() % std::nano::den};
  }
  const int found = epoll_pwait2(epoll_.get(), found_.data(), kBatch, &limit, nullptr);
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
