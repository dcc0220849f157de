// Time as the whole project counts it: integer nanoseconds.
#pragma once

#include <chrono>

namespace greetlab {

class Clock;

using Duration = std::chrono::nanoseconds;

/// A moment on a `Clock`. Moments of different clocks have nothing to do with each other: in the
/// virtual world 0 is the beginning of the world, in the live one it is the machine's start.
using Time = std::chrono::time_point<Clock, Duration>;

/// Later than everything: a deadline that never comes.
constexpr Time kNever = Time::max();

}  // namespace greetlab
