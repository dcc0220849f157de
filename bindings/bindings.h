// What the extension is made of: one function a room.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>

namespace greetlab {

/// Python counts time in float seconds, C++ in integer nanoseconds.
inline std::chrono::nanoseconds seconds(double value) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(value * 1e9));
}

void bind_dns(pybind11::module_& module);
void bind_greet(pybind11::module_& module);
void bind_live(pybind11::module_& module);

}  // namespace greetlab
