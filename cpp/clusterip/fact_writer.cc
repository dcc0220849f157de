#include "clusterip/fact_writer.h"

#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace greetlab {

namespace {

/// One fact, field by field. Text goes in as it is: addresses and the system's words for errors
/// hold nothing that JSON would escape.
class JsonLine {
 public:
  JsonLine(std::string_view fact, std::int64_t time_ns) : line_("{") {
    field("fact", fact).key("time_ns").line_ += std::to_string(time_ns);
  }
  JsonLine& field(std::string_view name, std::string_view text) {
    key(name).quote(text);
    return *this;
  }
  JsonLine& field(std::string_view name, const Address& address) {
    return field(name, to_string(address));
  }
  JsonLine& field(std::string_view name, std::uint64_t number) {
    key(name).line_ += std::to_string(number);
    return *this;
  }
  // Not plain `bool`, which would take every string literal.
  JsonLine& field(std::string_view name, std::same_as<bool> auto truth) {
    key(name).line_ += truth ? "true" : "false";
    return *this;
  }
  JsonLine& field(std::string_view name, std::nullopt_t) {
    key(name).line_ += "null";
    return *this;
  }
  JsonLine& field(std::string_view name, const std::vector<Address>& addresses) {
    key(name).line_ += '[';
    for (const Address& address : addresses) {
      if (&address != &addresses.front()) line_ += ',';
      quote(to_string(address));
    }
    line_ += ']';
    return *this;
  }
  std::string end() { return std::move(line_ += "}\n"); }

 private:
  JsonLine& key(std::string_view name) {
    if (line_.size() > 1) line_ += ',';
    quote(name);
    line_ += ':';
    return *this;
  }
  void quote(std::string_view text) { line_.append(1, '"').append(text).append(1, '"'); }

  std::string line_;
};

struct ToJsonLine {
  std::string operator()(const ProxyListening& fact) const {
    return JsonLine("listening", fact.time_ns).field("address", fact.address).end();
  }
  std::string operator()(const ProxyEndpoints& fact) const {
    return JsonLine("endpoints", fact.time_ns).field("endpoints", fact.endpoints).end();
  }
  std::string operator()(const ProxyOpened& fact) const {
    return JsonLine("opened", fact.time_ns)
        .field("id", fact.id)
        .field("source", fact.source)
        .field("endpoint", fact.endpoint)
        .field("upstream", fact.upstream)
        .end();
  }
  std::string operator()(const ProxyFailed& fact) const {
    JsonLine line("failed", fact.time_ns);
    line.field("id", fact.id).field("source", fact.source);
    if (fact.endpoint) {
      line.field("endpoint", *fact.endpoint);
    } else {
      line.field("endpoint", std::nullopt);
    }
    return line.field("reason", fact.reason).end();
  }
  std::string operator()(const ProxyClosed& fact) const {
    return JsonLine("closed", fact.time_ns)
        .field("id", fact.id)
        .field("bytes_up", fact.bytes_up)
        .field("bytes_down", fact.bytes_down)
        .field("by", fact.by == ProxySide::client ? "client" : "endpoint")
        .field("reset", fact.reset)
        .end();
  }
};

std::string dropped_line(std::uint64_t count) {
  return "{\"fact\":\"dropped\",\"count\":" + std::to_string(count) + "}\n";
}

/// Gives up only when there is no reader any more.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string to_json_line(const ProxyFact& fact) {
  return std::visit(ToJsonLine{}, fact);
}

FactWriter::FactWriter(int descriptor) : descriptor_(descriptor), thread_([this] { run(); }) {}

FactWriter::~FactWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void FactWriter::write(const ProxyFact& fact) {
  const std::string line = to_json_line(fact);
  {
    const std::lock_guard lock(mutex_);
    const bool fits = dropped_ == 0 && waiting_.size() + line.size() <= kCapacity;
    if (std::holds_alternative<ProxyEndpoints>(fact)) {
      if (dropped_ > 0) waiting_ += dropped_line(std::exchange(dropped_, 0));
    } else if (!fits) {
      ++dropped_;  // also those that would fit: a gap in one place, not in many
      return;
    }
    waiting_ += line;
  }
  changed_.notify_one();
}

void FactWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::string batch = std::exchange(waiting_, {});
    const std::uint64_t dropped = std::exchange(dropped_, 0);
    lock.unlock();
    if (dropped > 0) batch += dropped_line(dropped);
    write_all(descriptor_, batch);
    lock.lock();
  }
}

}  // namespace greetlab
