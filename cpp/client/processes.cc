#include "client/processes.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/answers.h"
#include "core/printable.h"

namespace greetlab {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A child that does its work and writes the calls into a pipe. Ended, at the latest, with this.
class Process {
 public:
  explicit Process(const std::function<CallLog()>& work) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) fail("make a pipe for a loop");
    read_end_ = ends[0];
    child_ = fork();
    if (child_ < 0) fail("make a process for a loop");
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      close(ends[0]);
      _exit(run(work, ends[1]));
    }
    close(ends[1]);
  }
  Process(Process&& other) noexcept
      : child_(std::exchange(other.child_, -1)), read_end_(std::exchange(other.read_end_, -1)) {}
  ~Process() {
    if (child_ < 0) return;
    close(read_end_);
    tell_to_end();
    waitpid(child_, nullptr, 0);
  }

  void tell_to_end() const { kill(child_, SIGTERM); }

  /// Waits a little for what it writes.
  /// @return whether there is more to come.
  bool read_on() {
    pollfd wait{read_end_, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(kAttention.count())) <= 0) return true;
    std::array<char, 65536> some;
    const ssize_t count = read(read_end_, some.data(), some.size());
    if (count > 0) written_.append(some.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  /// Once there is no more to come.
  CallLog log() const {
    if (written_.empty()) throw std::runtime_error("a loop's process ended without its calls");
    CallLog log(0);
    nlohmann::json::from_cbor(written_).get_to(log);
    return log;
  }

 private:
  static int run(const std::function<CallLog()>& work, int write_end) {
    try {
      const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(nlohmann::json(work()));
      for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t count = write(write_end, bytes.data() + at, bytes.size() - at);
        if (count < 0) return 2;  // nobody reads any more
        at += static_cast<std::size_t>(count);
      }
      return 0;
    } catch (const std::exception& error) {
      std::cerr << "greet-client: " << printable(error.what()) << std::endl;
      return 2;
    }
  }

  pid_t child_ = -1;
  int read_end_ = -1;
  std::string written_;
};

}  // namespace

CallLog in_processes(std::size_t count, const std::function<CallLog(std::size_t)>& work,
                     const Interrupted& stopped) {
  std::vector<Process> processes;
  for (std::size_t i = 0; i < count; ++i) processes.emplace_back([&] { return work(i); });
  std::vector<CallLog> logs;
  bool told = false;
  for (Process& process : processes) {
    while (process.read_on()) {
      if (told || !stopped()) continue;
      told = true;
      for (const Process& each : processes) each.tell_to_end();
    }
    logs.push_back(process.log());
  }
  return CallLog::merged(logs);
}

}  // namespace greetlab
