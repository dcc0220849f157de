// A trace that nobody listens to costs nothing: no fact is made, no word is kept, no memory is
// asked for. Counts every allocation of the process, so it is a program of its own.
//
// Ends with 0 if all of it holds, else with 1 and what did not.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "core/virtual_clock.h"
#include "lb/channel.h"
#include "sim/cluster.h"
#include "trace/trace.h"

namespace {

std::uint64_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

void* counted(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, alignment);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace greetlab {
namespace {

int failures = 0;

void expect_equal(const char* what, std::uint64_t actual, std::uint64_t expected) {
  const bool good = actual == expected;
  std::printf("%s %s: %llu\n", good ? "ok  " : "FAIL", what,
              static_cast<unsigned long long>(actual));
  if (good) return;
  std::printf("     expected %llu\n", static_cast<unsigned long long>(expected));
  ++failures;
}

// Hears everything and keeps nothing.
struct Count final : Trace::Listener {
  void on_event(const Event&) override { ++events; }
  std::uint64_t events = 0;
};

void an_unobserved_emit() {
  const VirtualClock clock;
  Trace trace(clock);
  const Symbol who = trace.symbol("client");
  std::uint64_t made = 0;
  std::uint64_t word = 0;
  const auto emit = [&] {
    return trace.emit(who, EventId::none, [&] {
      ++made;
      // A word that is too long to be kept without memory, and each time another one.
      return LookupStarted{
          trace.symbol("a name that fits into no small string buffer " + std::to_string(++word))};
    });
  };

  const std::uint64_t before = allocations;
  std::uint64_t ids = 0;
  for (int i = 0; i < 100'000; ++i) ids += static_cast<std::uint64_t>(emit());
  expect_equal("allocations of 100000 unobserved emits", allocations - before, 0);
  expect_equal("facts that they made", made, 0);
  expect_equal("events that they numbered", ids, 0);

  // The counter counts: the same with a listener does ask for memory.
  Count count;
  trace.listen(&count);
  const std::uint64_t listening = allocations;
  emit();
  expect_equal("facts that an observed emit makes", made, 1);
  expect_equal("... and it asks for memory", allocations > listening, true);
}

// Calls one after the other, through the real channel and the pretend network.
std::uint64_t allocations_of_calls(SimCluster& cluster, Channel& channel, int calls) {
  const std::uint64_t before = allocations;
  int ended = 0;
  for (int i = 0; i < calls; ++i) {
    SimCall subchannel_call;
    channel.call(subchannel_call, {},
                 [&ended](const CallResult& result) { ended += result.status.ok() ? 1 : 0; });
    while (ended == i && cluster.clock().step()) {
    }
  }
  const std::uint64_t asked = allocations - before;
  expect_equal("calls that went well", static_cast<std::uint64_t>(ended),
               static_cast<std::uint64_t>(calls));
  return asked;
}

void an_unobserved_call() {
  constexpr int kCalls = 1000;
  SimConfig config;
  config.trace_capacity = 0;
  SimCluster cluster(config);
  ChannelOptions to;
  to.target = "greetserver-headless";
  to.policy.policy = "round_robin";
  Channel& channel = cluster.open_channel(to);

  allocations_of_calls(cluster, channel, kCalls);  // connects, and warms up what grows
  const std::size_t words = cluster.trace().symbols().size();
  const std::uint64_t off = allocations_of_calls(cluster, channel, kCalls);
  expect_equal("words kept by 1000 unobserved calls", cluster.trace().symbols().size() - words, 0);

  // What those calls asked for was the calls', not the trace's: with a listener that keeps
  // nothing, thousands of events more, and the same memory.
  Count count;
  cluster.trace().listen(&count);
  allocations_of_calls(cluster, channel, kCalls);  // the words of the facts, once
  count.events = 0;
  const std::uint64_t on = allocations_of_calls(cluster, channel, kCalls);
  cluster.trace().listen(nullptr);
  expect_equal("at least three events a call", count.events >= 3 * kCalls, true);
  std::printf("     (%.3f events a call)\n", static_cast<double>(count.events) / kCalls);
  expect_equal("allocations of 1000 calls, unobserved as observed", off, on);
  std::printf("     (%.3f a call)\n", static_cast<double>(off) / kCalls);
}

}  // namespace
}  // namespace greetlab

int main() {
  greetlab::an_unobserved_emit();
  greetlab::an_unobserved_call();
  return greetlab::failures == 0 ? 0 : 1;
}
