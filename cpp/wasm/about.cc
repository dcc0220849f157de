#include "wasm/about.h"

#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <variant>

#include "lb/policies/registry.h"
#include "trace/fact_text.h"
#include "wasm/config_words.h"
#include "wasm/load_words.h"
#include "wasm/policy_words.h"
#include "wasm/values.h"

namespace greetlab {
namespace {

/// JSON, written from left to right.
class Json {
 public:
  // Through std::function: there are some hundred of these, and the page loads them all.
  void object(const std::function<void()>& inside) { nested('{', '}', inside); }
  void array(const std::function<void()>& inside) { nested('[', ']', inside); }
  Json& key(std::string_view name) {
    string(name);
    text_ += ':';
    first_ = true;  // its value has no comma before it
    return *this;
  }
  void string(std::string_view text) {
    comma();
    text_ += '"';
    for (const char letter : text) {
      if (letter == '"' || letter == '\\') text_ += '\\';
      text_ += letter;  // the lab's own words, none of which has a control in it
    }
    text_ += '"';
  }
  void number(std::size_t value) {
    comma();
    text_ += std::to_string(value);
  }
  std::string take() { return std::move(text_); }

 private:
  void nested(char begin, char end, const std::function<void()>& inside) {
    comma();
    text_ += begin;
    first_ = true;
    inside();
    text_ += end;
    first_ = false;
  }
  void comma() {
    if (!std::exchange(first_, false)) text_ += ',';
  }

  std::string text_;
  bool first_ = true;
};

constexpr std::array<std::string_view, 5> kPodStates{"starting", "serving", "draining", "dead",
                                                     "lost"};

/// How wide a number is: "u8", "u32", "i64", ...
template <class Value>
constexpr std::string_view width() {
  if constexpr (std::is_enum_v<Value>) {
    return width<std::underlying_type_t<Value>>();
  } else if constexpr (std::is_same_v<Value, Time> || std::is_same_v<Value, Duration>) {
    return "i64";
  } else {
    static_assert(std::is_integral_v<Value>, "say here how wide this one is");
    if (sizeof(Value) == 1) return "u8";
    if (sizeof(Value) == 2) return "u16";
    if (sizeof(Value) == 4) return std::is_signed_v<Value> ? "i32" : "u32";
    return std::is_signed_v<Value> ? "i64" : "u64";
  }
}

/// What it stands for.
template <class Value>
constexpr std::string_view meaning() {
  if constexpr (std::is_same_v<Value, Symbol>) return "word";
  if constexpr (std::is_same_v<Value, Time>) return "time";
  if constexpr (std::is_same_v<Value, Duration>) return "duration";
  if constexpr (std::is_same_v<Value, bool>) return "truth";
  if constexpr (std::is_same_v<Value, Row>) return "row";
  if constexpr (std::is_same_v<Value, Place>) return "place";
  if constexpr (std::is_same_v<Value, ConnectivityState>) return "state";
  if constexpr (std::is_same_v<Value, Code>) return "code";
  if constexpr (std::is_same_v<Value, Certainty>) return "certainty";
  if constexpr (std::is_same_v<Value, Graceful>) return "graceful";
  if constexpr (std::is_same_v<Value, FrameType>) return "frame_type";
  if constexpr (std::is_same_v<Value, PodState>) return "pod_state";
  return "number";
}

struct ColumnType {
  std::string_view width;
  std::string_view meaning;
};

template <class Value>
constexpr ColumnType kColumnType{width<Value>(), meaning<Value>()};

/// [width, offset, meaning]
void write_column(Json& json, std::string_view name, std::size_t offset, const ColumnType& type) {
  json.key(name).array([&] {
    json.string(type.width);
    json.number(offset);
    json.string(type.meaning);
  });
}

template <class Whole, class Part>
void column(Json& json, std::string_view name, const Whole& whole, const Part& part) {
  const auto offset = reinterpret_cast<const char*>(&part) - reinterpret_cast<const char*>(&whole);
  write_column(json, name, static_cast<std::size_t>(offset), kColumnType<Part>);
}

void begin_table(Json& json, std::string_view name, std::size_t stride,
                 const std::function<void()>& columns) {
  json.object([&] {
    json.key("name").string(name);
    json.key("stride").number(stride);
    json.key("columns").object(columns);
  });
}

template <class OneRow>
void replay_table(Json& json) {
  const OneRow row{};
  begin_table(json, OneRow::kName, sizeof(row), [&] {
    std::apply([&](const auto&... one) { (column(json, one.name, row, row.*one.member), ...); },
               OneRow::columns());
  });
}

/// Calls `f` with each table of the replay, in their order.
void for_each_table(const Replay& replay, auto&& f) {
  f(replay.lookups());
  f(replay.lists());
  f(replay.subchannels());
  f(replay.connections());
  f(replay.calls());
  f(replay.frames());
}

void tables(Json& json) {
  const WorldNow world{};
  begin_table(json, "world", sizeof(world), [&] {
    column(json, "now", world, world.now);
    column(json, "next", world, world.next);
    column(json, "end", world, world.end);
    column(json, "steps", world, world.steps);
    column(json, "dropped", world, world.dropped);
    column(json, "queries", world, world.queries);
    column(json, "connections", world, world.connections);
  });
  const Event event{};
  begin_table(json, "events", sizeof(event), [&] {
    column(json, "at", event, event.at);
    column(json, "id", event, event.id);
    column(json, "cause", event, event.cause);
    column(json, "who", event, event.who);
    column(json, "certainty", event, event.certainty);
    column(json, "kind", event, event.kind);
  });
  const PodNow pod{};
  begin_table(json, "pods", sizeof(pod), [&] {
    column(json, "name", pod, pod.name);
    column(json, "address", pod, pod.address);
    column(json, "state", pod, pod.state);
    column(json, "listed", pod, pod.listed);
    column(json, "healthy", pod, pod.healthy);
  });
  const ClientNow client{};
  begin_table(json, "clients", sizeof(client), [&] {
    column(json, "name", client, client.name);
    column(json, "state", client, client.state);
    column(json, "open", client, client.open);
  });
  for_each_table(Replay(), [&]<class One>(const std::vector<One>&) { replay_table<One>(json); });
}

void kinds(Json& json) {
  const auto kind = [&]<std::size_t index>(std::integral_constant<std::size_t, index>) {
    using One = std::variant_alternative_t<index, Fact>;
    const Event event{{}, {}, {}, {}, {}, 0, Fact(std::in_place_index<index>)};
    const One& fact = std::get<index>(event.fact);
    json.object([&] {
      json.key("name").string(One::kName);
      json.key("certainty").string(to_string(One::kCertainty));
      json.key("fields").object([&] {
        std::apply(
            [&](const auto&... one) { (column(json, one.name, event, fact.*one.member), ...); },
            One::fields());
      });
    });
  };
  [&]<std::size_t... index>(std::index_sequence<index...>) {
    (kind(std::integral_constant<std::size_t, index>{}), ...);
  }(std::make_index_sequence<std::variant_size_v<Fact>>());
}

template <class Enum>
void words(Json& json) {
  json.key(meaning<Enum>()).array([&] {
    for (std::uint8_t value = 0; value < kWordCount<Enum>; ++value) {
      json.string(to_string(static_cast<Enum>(value)));
    }
  });
}

void option(Json& json, std::string_view name, std::string_view type, std::string_view usual,
            std::string_view help) {
  json.object([&] {
    json.key("name").string(name);
    json.key("type").string(type);
    json.key("usual").string(usual);
    json.key("help").string(help);
  });
}

template <class Options>
void options(Json& json, std::string_view whose, auto&& there) {
  json.key(whose).array([&] {
    const Options usual;
    Options::each(
        usual, [&]<class Value>(std::string_view name, const Value& value, std::string_view help) {
          if (!there(name)) return;
          option(json, name, type_name<Value>(), text_of(value), help);
        });
  });
}

void policy(Json& json, const PolicyType& type) {
  json.object([&] {
    json.key("name").string(type.name);
    json.key("child").string(type.child);
    json.key("texts").array([&] {
      for (const std::string_view text : type.texts) json.string(text);
    });
    json.key("fields").array([&] {
      for (const PolicyField& field : type.fields) {
        json.object([&] {
          json.key("name").string(field.name);
          if (field.usual) json.key("usual").string(field_text(field, *field.usual));
          json.key("least").string(field_text(field, field.least));
          json.key("most").string(field_text(field, field.most));
        });
      }
    });
  });
}

}  // namespace

Table table(ScriptedWorld& world, std::size_t index) {
  const auto all_of = [](const auto& rows) { return Table{rows.data(), rows.size()}; };
  static WorldNow figures;
  SimCluster& cluster = world.cluster();
  switch (index) {
    case 0:
      figures = {world.now(),
                 world.next(),
                 world.end(),
                 cluster.clock().steps(),
                 world.dropped(),
                 cluster.dns().queries(),
                 cluster.network().opened()};
      return {&figures, 1};
    case 1: return all_of(world.events());
    case 2: return all_of(world.pods());
    case 3: return all_of(world.clients());
    default: break;
  }
  std::optional<Table> found;
  std::size_t at = 4;
  for_each_table(world.replay(), [&](const auto& rows) {
    if (at++ == index) found = all_of(rows);
  });
  if (found) return *found;
  throw std::invalid_argument("no table " + std::to_string(index) + ": there are " +
                              std::to_string(at));
}

std::string about() {
  Json json;
  const auto all = [](std::string_view) { return true; };
  json.object([&] {
    json.key("version").string(Script::kVersion);
    json.key("tables").array([&] { tables(json); });
    json.key("kinds").array([&] { kinds(json); });
    json.key("words").object([&] {
      words<Certainty>(json);
      words<Graceful>(json);
      words<ConnectivityState>(json);
      words<FrameType>(json);
      words<Code>(json);
      json.key(meaning<PodState>()).array([&] {
        for (const std::string_view state : kPodStates) json.string(state);
      });
    });
    json.key("options").object([&] {
      options<SimConfig>(json, "world", all);
      options<SimConfig>(json, "change", SimCluster::can_change);
      options<ChannelOptions>(json, "channel", is_virtual);
      json.key("config").array([&] {
        for (const ConfigWord& word : config_words())
          option(json, word.name, word.type, kNone, word.help);
      });
      options<LoadWords>(json, "load", all);
    });
    json.key("policies").array([&] {
      for (const PolicyType& type : policies()) policy(json, type);
    });
    json.key("commands").array([&] {
      for (const Verb& verb : verbs()) {
        json.object([&] {
          json.key("name").string(verb.name);
          json.key("given").array([&] {
            for (const std::string_view word : verb.given) json.string(word);
          });
          json.key("options").string(verb.options);
          json.key("help").string(verb.help);
        });
      }
    });
  });
  return json.take();
}

}  // namespace greetlab
