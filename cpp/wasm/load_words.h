// What a load can be told, by name.
#pragma once

#include "load/load.h"

namespace greetlab {

/// LoadConfig with its names; metadata have words of their own (wasm/verbs.cc).
struct LoadWords : LoadConfig {
  /// Calls `f(name, member, help)` for each.
  template <class Self, class F>
  static void each(Self& self, F&& f) {
    f("calls", self.calls, "how many");
    f("concurrency", self.concurrency, "how many in flight, each followed by the next");
    f("interval", self.interval,
      "from one call's start to the next one's, however many are in flight; 0: the next begins "
      "when "
      "one ends");
    f("timeout", self.timeout, "how long a call may take");
    f("wait_for_ready", self.wait_for_ready, "wait for a connection where others fail");
    f("key_header", self.key_header,
      "the header in which a call says whose it is, such as user-id");
    f("keys", self.keys, "how many of them there are: 1 the first call, 2 the next, and so on");
  }
};

}  // namespace greetlab
