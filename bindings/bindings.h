// What the extension is made of: one function a room.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/failing.h"

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
  return std::chrono::nanoseconds(std::llround(value * 1e9));
}

/// @param code as gRPC writes it; pushback: in seconds; less than 0: never again.
/// @throws std::invalid_argument for a code that there is not, and for OK.
inline Failing failing_from(double rate, const std::string& code, std::optional<double> pushback) {
  const auto known = code_named(code);
  if (!known || *known == Code::ok) {
    throw std::invalid_argument("code '" + code +
                                "': one of gRPC's, such as UNAVAILABLE, and not OK");
  }
  Failing failing{rate, *known};
  if (pushback) failing.pushback = *pushback < 0 ? std::chrono::seconds(-1) : seconds(*pushback);
  return failing;
}

/// A path that Python gave. C's functions would open what stands before a NUL.
///
/// @throws std::invalid_argument for one with a NUL in it.
inline const std::string& checked_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    throw std::invalid_argument("a path cannot have a NUL in it");
  }
  return path;
}

/// To be called last: no object of the module's comes from anywhere but its constructor or the
/// core. A class cannot be subclassed, `__new__` does not make an object without its insides, and
/// none is pickled or copied.
void seal(pybind11::module_& module);

void bind_bench(pybind11::module_& module);
void bind_calls(pybind11::module_& module);
void bind_config(pybind11::module_& module);
void bind_lookup(pybind11::module_& module);
void bind_pods(pybind11::module_& module);
void bind_policy(pybind11::module_& module);
void bind_sim(pybind11::module_& module);
void bind_trace(pybind11::module_& module);
void bind_wasm(pybind11::module_& module);

/// What needs more than a compiler: the five below; or, in a simulator alone, what says so.
void bind_real(pybind11::module_& module);
void bind_dns(pybind11::module_& module);
void bind_greet(pybind11::module_& module);
void bind_kube(pybind11::module_& module);
void bind_live(pybind11::module_& module);
void bind_told(pybind11::module_& module);

}  // namespace greetlab
