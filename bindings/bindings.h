// What the extension is made of: one function a room.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace greetlab {

/// Python counts time in float seconds, C++ in integer nanoseconds: up to 292 years of them. The
/// machine's own years since it was started are added to these, so a few are left for them.
///
/// @throws std::invalid_argument for what is no such number.
inline std::chrono::nanoseconds seconds(double value) {
  if (!(value >= 0 && value < 9e9)) {
    throw std::invalid_argument("seconds are a number from 0 to 9e9, and not " +
                                std::to_string(value));
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(value * 1e9));
}

void bind_bench(pybind11::module_& module);
void bind_dns(pybind11::module_& module);
void bind_greet(pybind11::module_& module);
void bind_live(pybind11::module_& module);
void bind_policy(pybind11::module_& module);
void bind_sim(pybind11::module_& module);
void bind_trace(pybind11::module_& module);

}  // namespace greetlab
