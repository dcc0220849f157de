// round_robin on the bench, in a page and without Python: turns, a loss, a new list.
//
// Ends with 0 if it is so, else with 1 and the whole story.
#include <cstdio>
#include <string>
#include <vector>

#include "lb/testing/policy_bench.h"
#include "trace/replay.h"
#include "trace/story.h"

namespace greetlab {
namespace {

using Names = std::vector<std::string>;

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

int failures = 0;

void expect(const char* what, const std::string& seen, const std::string& expected) {
  std::printf("%s %s: %s\n", seen == expected ? "ok  " : "FAIL", what, seen.c_str());
  failures += seen != expected;
}

void tell(const PolicyBench& bench) {
  Replay replay;
  for (const Event& event : bench.recording().events()) replay.apply(event);
  Story story(bench.symbols(), replay, Time{});
  std::printf("\n%s\n", bench.script().c_str());
  for (const Event& event : bench.recording().events()) {
    std::printf("%s\n", story.sentence(event).c_str());
  }
}

int run() {
  PolicyBench bench({"round_robin"}, 7);
  expect("before there is any address", joined(bench.picks(1)), "wait");
  bench.update({"a", "b", "c"});
  expect("all are dialled at once", joined(bench.connecting()), "a b c");
  bench.ready("b");
  expect("the first that answers has every call", joined(bench.picks(3)), "b b b");
  bench.ready("a");
  bench.ready("c");
  const Names turns = bench.picks(3);
  const Names again = bench.picks(3);
  expect("each has its turn, and then again", joined(again), joined(turns));
  expect("in the order of the list",
         std::string("a b c a b c").find(joined(turns)) == std::string::npos ? "no" : "yes", "yes");
  bench.lose("b");
  expect("the lost one is dialled at once", joined(bench.connecting()), "b");
  bench.fail("b", "Connection refused");
  bench.update({"d"});
  bench.ready("d");
  expect("a new list", joined(bench.picks(2)), "d d");
  bench.lose("d");
  bench.fail("d", "No route to host");
  expect("when all have failed", joined(bench.picks(1)),
         "fail: connections to all backends failing; last error: No route to host");
  if (failures != 0) tell(bench);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace greetlab

int main() {
  return greetlab::run();
}
