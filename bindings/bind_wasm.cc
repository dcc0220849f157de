// Links: a virtual world as a text (wasm/script.h), and its options as words.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings.h"
#include "options.h"
#include "sim/cluster.h"
#include "wasm/config_words.h"
#include "wasm/load_words.h"
#include "wasm/policy_words.h"
#include "wasm/script.h"
#include "wasm/scripted_world.h"
#include "wasm/values.h"

namespace py = pybind11;

namespace greetlab {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;
/// When, at once, verb, words by their place and by their name.
using Told = std::tuple<std::int64_t, bool, std::string, std::vector<std::string>, Words>;

std::int64_t nanoseconds(Time at) {
  return at.time_since_epoch().count();
}

std::tuple<Words, std::vector<Told>, std::int64_t> read(std::string_view link) {
  Script script = read_script(link);
  std::vector<Told> commands;
  for (Command& command : script.commands) {
    Statement& one = command.statement;
    commands.emplace_back(nanoseconds(command.at), command.at_once, std::move(one.verb),
                          std::move(one.given), std::move(one.named));
  }
  return {std::move(script.world), std::move(commands), nanoseconds(script.end)};
}

std::string write(Words world, std::vector<Told> commands, std::int64_t end) {
  Script script{std::move(world), {}, Time(Duration(end))};
  for (auto& [at, at_once, verb, given, named] : commands) {
    script.commands.push_back(
        {Time(Duration(at)), at_once, {std::move(verb), std::move(given), std::move(named)}});
  }
  return to_text(script);
}

template <class Options>
Words words_of_options(const py::dict& given) {
  const auto options = options_from<Options>(given);
  Words words;
  Options::each(options, [&](const char* name, const auto& value, const char*) {
    if (given.contains(name)) words.emplace_back(name, text_of(value));
  });
  return words;
}

template <class Options>
py::dict options_of_words(const Words& words) {
  Options options;
  for (const auto& [name, text] : words) {
    set_option(any_options(options), name, text,
               std::is_same_v<Options, ChannelOptions> ? is_virtual : any_name);
  }
  py::dict told;
  Options::each(options, [&](const char* name, const auto& value, const char*) {
    const auto named = [&](const auto& word) { return word.first == name; };
    if (std::ranges::any_of(words, named)) told[name] = to_python(value);
  });
  return told;
}

/// Calls `f` with the kind of options of this name.
template <class F>
auto of_whom(std::string_view whose, F&& f) {
  if (whose == "world") return f.template operator()<SimConfig>();
  if (whose == "channel") return f.template operator()<ChannelOptions>();
  if (whose == "load") return f.template operator()<LoadWords>();
  throw std::invalid_argument("options of a 'world', a 'channel' or a 'load'");
}

}  // namespace

void bind_wasm(py::module_& module) {
  module.def("read_script", &read, py::arg("link"), R"(
A link: the world's options as words, [(time in ns, whether at once after the one before, verb,
words by place, words by name)], and how far time had come. Raises ValueError, with what is wrong.)");
  module.def("write_script", &write, py::arg("world"), py::arg("commands"), py::arg("end_ns"),
             "The same backwards: the fragment of a link, without \"#\".");
  module.def(
      "option_words",
      [](std::string_view whose, const py::dict& given) {
        return of_whom(whose, [&]<class Options>() { return words_of_options<Options>(given); });
      },
      py::arg("whose"), py::arg("given"),
      "Options of a \"world\", a \"channel\" or a \"load\" as words: {\"cooldown\": 10} is "
      "[(\"cooldown\", \"10s\")].");
  module.def(
      "options_from_words",
      [](std::string_view whose, const Words& words) {
        return of_whom(whose, [&]<class Options>() { return options_of_words<Options>(words); });
      },
      py::arg("whose"), py::arg("words"),
      "The same backwards. Raises ValueError for one that there is not, with those that there "
      "are.");
  module.def("policy_words", &words_of, py::arg("config"),
             "[(\"policy\", \"least_request\"), (\"policy.choiceCount\", \"3\")]. Raises "
             "ValueError for a learner's own.");
  module.def("policy_from_words", &policy_from, py::arg("words"),
             "The same backwards; words that are not of a policy are left alone.");
  module.def(
      "config_from_words",
      [](const Words& words) { return std::const_pointer_cast<ServiceConfig>(config_from(words)); },
      py::arg("words"), R"(
The ServiceConfig of [("timeout", "1s"), ("retryPolicy.maxAttempts", "3"), ...]; other words are left
alone. None: there is none of these. Raises ValueError.)");
  module.def(
      "config_words",
      [] {
        std::vector<std::string> names;
        for (const ConfigWord& word : config_words()) names.emplace_back(word.name);
        return names;
      },
      "The words that a service config has.");
  module.def(
      "time_word", [](const py::object& time) { return distribution(time).text(); },
      py::arg("time"), "\"20ms\" for 0.02; \"5ms..20ms\" for (0.005, 0.02).");
  module.def("is_virtual", &is_virtual, py::arg("channel_option"),
             "Whether a channel of a virtual cluster can be told this.");
  module.def(
      "verbs",
      [] {
        std::vector<std::string> names;
        for (const Verb& verb : verbs()) names.emplace_back(verb.name);
        return names;
      },
      "The commands that a link can have.");
}

}  // namespace greetlab
