// engine_speed SCRIPT: the page's engine, compiled for this machine, runs a world to its end;
// prints how long a step of its clock takes. bench/clients/engine_speed.mjs is the same in
// WebAssembly.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "wasm/about.h"
#include "wasm/engine.h"

int main(int count, char** words) {
  if (count != 2) return std::fputs("usage: engine_speed SCRIPT\n", stderr), 2;
  const std::string_view script = words[1];
  const auto size = static_cast<std::uint32_t>(script.size());
  std::memcpy(gl_input(size), script.data(), size);
  const double opened = gl_open(size);
  if (opened < 0) return std::fprintf(stderr, "%s\n", static_cast<const char*>(gl_output())), 1;
  const auto world = static_cast<std::uint32_t>(opened);
  const auto begun = std::chrono::steady_clock::now();
  while (gl_run(world, 3600e9, 1'000'000) == 0) {
  }
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begun;
  gl_table(world, 0);
  const auto& now = *static_cast<const greetlab::WorldNow*>(gl_output());
  std::printf("{\"nanoseconds\": %.1f}\n", taken.count() / static_cast<double>(now.steps));
}
