// Facts as JSON lines, written without ever holding up the relay.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "clusterip/proxy_fact.h"

namespace greetlab {

/// One JSON object and a newline, the field `fact` first:
/// {"fact":"opened","time_ns":1,"id":1,"source":"127.0.0.1:40000",...}.
std::string to_json_line(const ProxyFact& fact);

/// Writes facts to a file descriptor from a thread of its own: all that wait are one write. When
/// the reader falls behind by `kCapacity` bytes, the facts that follow are dropped until it has
/// taken what waits, and {"fact":"dropped","count":N} stands in their place. What acknowledges a
/// command ("endpoints") is never dropped. When the reader is gone, they go nowhere.
class FactWriter {
 public:
  static constexpr std::size_t kCapacity = 1024 * 1024;

  explicit FactWriter(int descriptor);
  /// Writes what is left, however long the reader takes.
  ~FactWriter();

  /// Never waits for the reader. From any thread.
  void write(const ProxyFact& fact);

 private:
  void run();

  const int descriptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::uint64_t dropped_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace greetlab
