// greet-server: one pod of the lab, or of a real cluster.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/printable.h"
#include "greet/flags.h"
#include "greet/gate.h"
#include "greet/server.h"
#include "greet/tell.h"

namespace greetlab {
namespace {

using std::chrono::milliseconds;

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// What the main thread waits for while others serve.
class Watch {
 public:
  enum class Saw { stop_signal, parent_gone, drained, timeout };

  explicit Watch(int lifeline) : lifeline_(lifeline) {
    const sigset_t signals = stop_signals();
    signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
    drained_ = eventfd(0, EFD_CLOEXEC);
  }

  void drained() const { eventfd_write(drained_, 1); }

  Saw next(std::optional<milliseconds> timeout = std::nullopt) {
    for (;;) {
      pollfd fds[] = {{signals_, POLLIN, 0}, {drained_, POLLIN, 0}, {lifeline_, POLLIN, 0}};
      if (poll(fds, 3, timeout ? static_cast<int>(timeout->count()) : -1) == 0) {
        return Saw::timeout;
      }
      if (fds[0].revents) {
        signalfd_siginfo info;
        if (read(signals_, &info, sizeof info) > 0) return Saw::stop_signal;
      }
      if (fds[1].revents) return Saw::drained;
      if (fds[2].revents) {  // bytes mean nothing, the end means that every writer is gone
        char bytes[64];
        if (read(lifeline_, bytes, sizeof bytes) <= 0) return Saw::parent_gone;
      }
    }
  }

 private:
  int signals_ = -1;
  int drained_ = -1;
  int lifeline_;
};

// The file of the control socket. gRPC removes it where the server ends in order.
class ControlFile {
 public:
  /// Once it is there; empty, or the name of an abstract socket: there is none.
  explicit ControlFile(std::string path) : path_(std::move(path)) {
    is_there_ = !path_.empty() && path_.front() != '@' && lstat(path_.c_str(), &own_) == 0;
  }

  /// Not what somebody else has put in its place meanwhile.
  void remove() const {
    struct stat now{};
    if (is_there_ && lstat(path_.c_str(), &now) == 0 && S_ISSOCK(now.st_mode) &&
        now.st_dev == own_.st_dev && now.st_ino == own_.st_ino) {
      unlink(path_.c_str());
    }
  }

 private:
  const std::string path_;
  bool is_there_ = false;
  struct stat own_{};
};

int serve(const GreetServerFlags& flags) {
  // Blocked before any thread starts, so that every thread inherits it and the signals wait for us.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  if (flags.lifeline >= 0 && fcntl(flags.lifeline, F_GETFD) < 0) {
    std::cerr << "greet-server: --lifeline " << flags.lifeline << ": no such open descriptor\n";
    return 1;
  }
  Watch watch(flags.lifeline);
  GateBounds bounds;
  bounds.frames.streams = flags.server.max_concurrent_streams;
  guard_connections(bounds);
  std::optional<GreetServer> server;
  try {
    server.emplace(flags.server);
  } catch (const std::exception& error) {
    std::cerr << "greet-server: " << printable(error.what()) << std::endl;
    return 1;
  }
  const ControlFile control(flags.server.control);
  std::cout << "greet-server: serving on " << to_string(server->address()) << std::endl;

  if (watch.next() == Watch::Saw::stop_signal) {
    std::thread drain([&] {
      server->shutdown(flags.grace);
      watch.drained();
    });
    // A second signal, the parent's end, or the end of the grace: whatever still runs is cut off.
    const Watch::Saw saw = watch.next(flags.grace);
    if (saw == Watch::Saw::drained) {
      drain.join();
      return 0;
    }
    control.remove();
    _exit(saw == Watch::Saw::timeout ? 0 : 128 + SIGTERM);
  }
  // The parent is gone, and with it everybody who could mind.
  control.remove();
  _exit(0);
}

}  // namespace
}  // namespace greetlab

int main(int argc, char** argv) {
  greetlab::GreetServerFlags flags;
  CLI::App app(
      "The lab's pod: answers greet.GreetService, health, reflection and channelz over gRPC.\n"
      "SIGTERM: says NOT_SERVING, drains, exits 0; a second signal exits at once.",
      "greet-server");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return "greet-server: " + greetlab::printable(error.what()) + " (see greet-server --help)\n";
  });
  greetlab::declare(app, flags);
  greetlab::TellFlags told;
  const CLI::App* tell = greetlab::declare_tell(app, told);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return tell->parsed() ? greetlab::tell(told) : greetlab::serve(flags);
}
