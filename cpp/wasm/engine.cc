#include "wasm/engine.h"

#include <exception>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/misuse.h"
#include "trace/digest.h"
#include "trace/story.h"
#include "wasm/about.h"

namespace greetlab {
namespace {

constexpr double kError = -1;
constexpr std::size_t kLongestInput = 1024 * 1024;
constexpr std::size_t kMostWorlds = 64;
constexpr const char* kNoMemory = "there is no memory for this: fewer pods, clients or events";

std::string input;
std::string text;
const void* output = "";

struct Held {
  std::unique_ptr<ScriptedWorld> world;
  const char* broken = nullptr;
};
std::map<std::uint32_t, Held> worlds;
std::uint32_t worlds_made = 0;

double say(std::string words) {
  text = std::move(words);
  output = text.c_str();
  return static_cast<double>(text.size());
}

/// What `f` answers, or an error.
template <class F>
double answered(F&& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    output = kNoMemory;
  } catch (const std::exception& error) {
    say(error.what());
  }
  return kError;
}

/// The same of a world, which `f` is given.
template <class F>
double of_world(std::uint32_t number, F&& f) {
  return answered([&] {
    const auto found = worlds.find(number);
    if (found == worlds.end()) {
      misuse({"no world ", std::to_string(number)});
    }
    Held& held = found->second;
    if (held.broken != nullptr) throw std::runtime_error(held.broken);
    try {
      return f(*held.world);
    } catch (const std::invalid_argument&) {
      throw;  // refused before anything was changed
    } catch (const std::bad_alloc&) {
      held.broken = kNoMemory;
      throw;
    } catch (const std::exception&) {
      held.broken = "this world is broken; make it anew";
      throw;
    }
  });
}

std::string_view given(std::uint32_t size) {
  if (size > input.size()) misuse({"the input is shorter than that"});
  return std::string_view(input).substr(0, size);
}

}  // namespace
}  // namespace greetlab

using namespace greetlab;

void* gl_input(std::uint32_t size) {
  if (size > kLongestInput) return nullptr;
  try {
    input.resize(size);
    return input.data();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

const void* gl_output() {
  return output;
}

double gl_about() {
  return answered([] { return say(about()); });
}

double gl_open(std::uint32_t size) {
  return answered([&] {
    if (worlds.size() >= kMostWorlds) {
      misuse({std::to_string(kMostWorlds), " worlds are open; close one"});
    }
    auto world = std::make_unique<ScriptedWorld>(read_script(given(size)));
    worlds[++worlds_made].world = std::move(world);
    return static_cast<double>(worlds_made);
  });
}

double gl_close(std::uint32_t world) {
  return answered([&] {
    if (worlds.erase(world) == 0) {
      misuse({"no world ", std::to_string(world)});
    }
    return 0.0;
  });
}

double gl_follow(std::uint32_t number, std::uint32_t size) {
  return of_world(number, [&](ScriptedWorld& world) {
    world.follow(read_statement(given(size)));
    return 0.0;
  });
}

double gl_run(std::uint32_t number, double until, std::uint32_t steps) {
  return of_world(number, [&](ScriptedWorld& world) {
    constexpr double kMost = 9007199254740992;  // doubles have each nanosecond of 104 days
    if (!(until >= 0 && until <= kMost)) {
      misuse({"a world runs until some nanosecond of its first 104 days"});
    }
    const Time then{Duration(static_cast<std::int64_t>(until))};
    if (then < world.now()) {
      misuse({"time does not run backwards; open its script anew"});
    }
    return world.run(then, steps) ? 1.0 : 0.0;
  });
}

double gl_table(std::uint32_t number, std::uint32_t index) {
  return of_world(number, [&](ScriptedWorld& world) {
    const Table found = table(world, index);
    output = found.data;
    return static_cast<double>(found.rows);
  });
}

double gl_word(std::uint32_t number, std::uint32_t symbol) {
  return of_world(number, [&](ScriptedWorld& world) {
    const Symbols& symbols = world.cluster().trace().symbols();
    if (symbol >= symbols.size()) {
      misuse({"no symbol ", std::to_string(symbol)});
    }
    return say(symbols.word(static_cast<Symbol>(symbol)));
  });
}

double gl_sentence(std::uint32_t number, std::uint32_t event) {
  return of_world(number, [&](ScriptedWorld& world) {
    const auto events = world.events();
    if (event >= events.size()) {
      misuse({"no event ", std::to_string(event), ": there are ", std::to_string(events.size())});
    }
    Story story(world.cluster().trace().symbols(), world.replay(), Time{});
    return say(story.sentence(events[event]));
  });
}

double gl_script(std::uint32_t number) {
  return of_world(number, [](ScriptedWorld& world) { return say(to_text(world.script())); });
}

double gl_digest(std::uint32_t number) {
  return of_world(number, [](ScriptedWorld& world) {
    return say(digest(world.events(), world.cluster().trace().symbols()));
  });
}
