// Worlds of one thread, in the hands of Python, which has many, and which may come back from
// within.
#pragma once

#include <stdexcept>
#include <utility>

namespace greetlab {

/// A world that knows whether somebody is at it. Two could come at once: another thread while C++
/// steps without Python's lock, and a policy of Python's own (`Policy.pick`), which is called from
/// within the very world that it may hold. Python's lock guards `taken`.
template <class World>
class OneAtATime final : public World {
 public:
  using World::World;
  bool taken = false;
};

/// Somebody's turn at a world.
/// @throws std::runtime_error while it is somebody else's.
template <class World>
class Turn {
 public:
  explicit Turn(OneAtATime<World>& world) : world_(world) {
    if (world.taken) {
      throw std::runtime_error(
          "this virtual world is at work already, for another thread or for the policy that is "
          "just being asked: it does one thing at a time");
    }
    world.taken = true;
  }
  ~Turn() { world_.taken = false; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  OneAtATime<World>& world_;
};

/// What is to be done in one's turn, for `def`: a method of the world, or a function of it.
template <class World, class Result, class Owner, class... Args>
auto in_turn(Result (Owner::*method)(Args...)) {
  return [method](OneAtATime<World>& world, Args... args) -> Result {
    const Turn turn(world);
    return (world.*method)(std::forward<Args>(args)...);
  };
}
template <class World, class Result, class Owner, class... Args>
auto in_turn(Result (Owner::*method)(Args...) const) {
  return [method](OneAtATime<World>& world, Args... args) -> Result {
    const Turn turn(world);
    return (world.*method)(std::forward<Args>(args)...);
  };
}
template <class World, class Result, class... Args>
auto in_turn(Result (*act)(World&, Args...)) {
  return [act](OneAtATime<World>& world, Args... args) -> Result {
    const Turn turn(world);
    return act(world, std::forward<Args>(args)...);
  };
}

}  // namespace greetlab
