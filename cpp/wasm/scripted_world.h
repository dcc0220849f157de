// A virtual world that is driven by words, and can say them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster.h"
#include "sim/load.h"
#include "trace/replay.h"
#include "wasm/script.h"

namespace greetlab {

/// A pod now.
struct PodNow {
  Symbol name;
  Symbol address;  ///< "10.244.0.2:50051"; of each family one, with commas.
  PodState state;
  bool listed;
  bool healthy;
};

/// A client now.
struct ClientNow {
  Symbol name;
  ConnectivityState state;
  bool open;
};

class ScriptedWorld;

/// A command: what it is called, and what it takes.
struct Verb {
  std::string_view name;
  std::vector<std::string_view> given;  ///< "pod"; one that may be left out ends with "?".
  std::string_view options;             ///< Whose names it knows: "channel", "load", ...; or none.
  std::string_view help;
  void (*run)(ScriptedWorld& world, const Statement& statement);
};

/// All of them.
std::span<const Verb> verbs();

/// Whether a channel of the virtual world has this option of ChannelOptions.
bool is_virtual(std::string_view channel_option);

/// A virtual cluster, its clients and their loads by their names: "pod-1", "client-1", "load-1".
/// The same script gives the same events.
class ScriptedWorld {
 public:
  /// The world as it was made. The script's commands come when their time does.
  /// @throws std::invalid_argument for options that there are not, or that make no sense.
  explicit ScriptedWorld(Script script);

  Time now() { return cluster_.clock().now(); }
  /// When the next thing happens, be it a command; kNever if nothing ever will.
  Time next();
  /// How far the script goes.
  Time end() const { return end_; }

  /// Lets time pass, with all that happens in it.
  /// @param most_steps after which it stops, though there would be more to do before `until`.
  /// @return whether `until` has come.
  /// @throws std::invalid_argument for a command of the script that cannot be followed then.
  bool run(Time until, std::uint64_t most_steps);

  /// Follows a command now, after all else of this moment (or at once after another one).
  /// @throws std::invalid_argument for what there is not, and nothing is changed.
  void follow(Statement statement);

  /// What was done up to now, and what is still to come.
  Script script() const;

  const SimCluster& cluster() const { return cluster_; }
  SimCluster& cluster() { return cluster_; }
  std::span<const Event> events() const;
  std::uint64_t dropped() const;
  /// Of all events up to now.
  const Replay& replay();
  const std::vector<PodNow>& pods();
  const std::vector<ClientNow>& clients();

 private:
  friend struct Verbs;

  struct Client {
    Channel* channel;  // nullptr: closed
    ChannelOptions options;
    Symbol name;
  };

  void follow(Command command);
  void follow_the_next();
  void follow_those_at_once();

  const std::vector<std::pair<std::string, std::string>> options_;
  SimCluster cluster_;
  std::vector<Command> done_;
  std::uint64_t steps_then_ = 0;  // of the clock, when the last command had been followed
  std::deque<Command> to_come_;
  Time end_;
  std::vector<Client> clients_;
  std::vector<std::shared_ptr<Load>> loads_;
  Replay replay_;
  std::vector<PodNow> pods_now_;
  std::vector<ClientNow> clients_now_;
};

}  // namespace greetlab
