#include "wasm/scripted_world.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/misuse.h"
#include "core/printable.h"
#include "wasm/values.h"

namespace greetlab {
namespace {

SimConfig config_from(const std::vector<std::pair<std::string, std::string>>& words) {
  SimConfig config;
  const auto options = any_options(config);
  for (const auto& [name, text] : words) set_option(options, name, text);
  return config;
}

// So that what is there stands in one place, its words are counted here and nowhere else.
void check_words(const Verb& verb, const Statement& s) {
  const std::string name(verb.name);
  const auto least = static_cast<std::size_t>(std::ranges::count_if(
      verb.given, [](std::string_view word) { return !word.ends_with('?'); }));
  if (s.given.size() < least || s.given.size() > verb.given.size()) {
    std::string form = name;
    for (const std::string_view word : verb.given) (form += ' ') += word;
    misuse({name, " has ", std::to_string(s.given.size()),
            (s.given.size() == 1 ? " word" : " words"), " after it; it is: ", form});
  }
  if (verb.options.empty() && !s.named.empty()) {
    misuse({name, " has no option '", printable(s.named[0].first), "'"});
  }
}

}  // namespace

ScriptedWorld::ScriptedWorld(Script script)
    : options_(std::move(script.world)), cluster_(config_from(options_)), end_(script.end) {
  std::ranges::move(script.commands, std::back_inserter(to_come_));
  follow_those_at_once();
}

Time ScriptedWorld::next() {
  const Time next = cluster_.clock().next();
  return to_come_.empty() ? next : std::min(next, to_come_.front().at);
}

bool ScriptedWorld::run(Time until, std::uint64_t most_steps) {
  VirtualClock& clock = cluster_.clock();
  for (std::uint64_t steps = 0;; ++steps) {
    const Time next_command = to_come_.empty() ? kNever : to_come_.front().at;
    const Time bound = std::min(until, next_command);
    if (clock.next() > bound) {
      clock.run_until(std::max(bound, clock.now()));
      if (next_command > until) break;
      follow_the_next();
      follow_those_at_once();
      continue;
    }
    if (steps == most_steps) return false;
    clock.step();
  }
  end_ = std::max(end_, now());
  return true;
}

void ScriptedWorld::follow(Statement statement) {
  VirtualClock& clock = cluster_.clock();
  const Time last = done_.empty() ? Time{} : done_.back().at;
  const bool at_once = clock.steps() == steps_then_ && now() == last;
  // As it will be when this is done again.
  while (!at_once && clock.next() <= now()) clock.step();
  follow({now(), at_once, std::move(statement)});
}

void ScriptedWorld::follow(Command command) {
  const Statement& statement = command.statement;
  const auto verb = std::ranges::find(verbs(), statement.verb, &Verb::name);
  if (verb == verbs().end()) {
    std::string names;
    for (const Verb& one : verbs()) names += (names.empty() ? "" : ", ") + std::string(one.name);
    misuse({"no command '", printable(statement.verb), "': there is ", names});
  }
  check_words(*verb, statement);
  verb->run(*this, statement);
  done_.push_back(std::move(command));
  steps_then_ = cluster_.clock().steps();
  end_ = std::max(end_, now());
}

// One that cannot be followed stays the first, and is said again to whoever goes on.
void ScriptedWorld::follow_the_next() {
  const Command& next = to_come_.front();
  try {
    follow(Command(next));
  } catch (const std::invalid_argument& error) {
    misuse({"at ", to_text(now().time_since_epoch()), ", ", printable(to_text(next.statement)),
            ": ", error.what()});
  }
  to_come_.pop_front();
}

void ScriptedWorld::follow_those_at_once() {
  while (!to_come_.empty() && to_come_.front().at_once) follow_the_next();
}

Script ScriptedWorld::script() const {
  Script script{options_, done_, end_};
  script.commands.insert(script.commands.end(), to_come_.begin(), to_come_.end());
  return script;
}

std::span<const Event> ScriptedWorld::events() const {
  const Recording* const recording = cluster_.recording();
  return recording ? recording->events() : std::span<const Event>{};
}

std::uint64_t ScriptedWorld::dropped() const {
  return cluster_.recording() ? cluster_.recording()->dropped() : 0;
}

const Replay& ScriptedWorld::replay() {
  for (const Event& event : events().subspan(static_cast<std::size_t>(replay_.events()))) {
    replay_.apply(event);
  }
  return replay_;
}

const std::vector<PodNow>& ScriptedWorld::pods() {
  pods_now_.clear();
  for (const SimPod& pod : cluster_.pods()) {
    const Symbol address = cluster_.trace().symbol(to_string(pod.addresses));
    pods_now_.push_back({pod.who, address, pod.state, pod.listed, pod.healthy});
  }
  return pods_now_;
}

const std::vector<ClientNow>& ScriptedWorld::clients() {
  clients_now_.clear();
  for (const Client& client : clients_) {
    const bool open = client.channel != nullptr;
    clients_now_.push_back(
        {client.name, open ? client.channel->state() : ConnectivityState::shutdown, open});
  }
  return clients_now_;
}

}  // namespace greetlab
