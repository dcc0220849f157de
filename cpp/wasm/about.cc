#include "wasm/about.h"

#include <array>
#include <concepts>
#include <optional>
#include <span>
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
  void begin(char bracket) {
    comma();
    text_ += bracket;
    first_ = true;
  }
  void end(char bracket) {
    text_ += bracket;
    first_ = false;
  }
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

struct Column {
  std::string_view name;
  std::size_t offset;
  const ColumnType* type;
};

template <class Whole, class Part>
std::size_t offset_of(const Whole& whole, const Part& part) {
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&part) -
                                  reinterpret_cast<const char*>(&whole));
}

template <class Whole, class Part>
Column column(std::string_view name, const Whole& whole, const Part& part) {
  return {name, offset_of(whole, part), &kColumnType<Part>};
}

/// {name: [width, offset, meaning], ...}
void write_columns(Json& json, std::span<const Column> columns, std::size_t base = 0) {
  json.begin('{');
  for (const Column& one : columns) {
    json.key(one.name).begin('[');
    json.string(one.type->width);
    json.number(base + one.offset);
    json.string(one.type->meaning);
    json.end(']');
  }
  json.end('}');
}

void write_table(Json& json, std::string_view name, std::size_t stride,
                 std::span<const Column> columns) {
  json.begin('{');
  json.key("name").string(name);
  json.key("stride").number(stride);
  json.key("columns");
  write_columns(json, columns);
  json.end('}');
}

/// Those of a row or a fact, which have a list of their members.
template <class Whole>
auto columns_of(const Whole& whole) {
  const auto in_order = [&](const auto&... one) {
    return std::array<Column, sizeof...(one)>{column(one.name, whole, whole.*one.member)...};
  };
  if constexpr (requires { Whole::columns(); }) {
    return std::apply(in_order, Whole::columns());
  } else {
    return std::apply(in_order, Whole::fields());
  }
}

// Out here, what is where is data; in a function it would be code that puts each in its place.
template <class Whole>
const Whole kBlank{};
template <class Whole>
const auto kColumns = columns_of(kBlank<Whole>);

constexpr const WorldNow& kWorld = kBlank<WorldNow>;
const std::array kWorldColumns{column("now", kWorld, kWorld.now),
                               column("next", kWorld, kWorld.next),
                               column("end", kWorld, kWorld.end),
                               column("steps", kWorld, kWorld.steps),
                               column("dropped", kWorld, kWorld.dropped),
                               column("queries", kWorld, kWorld.queries),
                               column("connections", kWorld, kWorld.connections)};
constexpr const Event& kEvent = kBlank<Event>;
const std::array kEventColumns{column("at", kEvent, kEvent.at),
                               column("id", kEvent, kEvent.id),
                               column("cause", kEvent, kEvent.cause),
                               column("who", kEvent, kEvent.who),
                               column("certainty", kEvent, kEvent.certainty),
                               column("kind", kEvent, kEvent.kind)};
constexpr const PodNow& kPod = kBlank<PodNow>;
const std::array kPodColumns{column("name", kPod, kPod.name), column("address", kPod, kPod.address),
                             column("state", kPod, kPod.state), column("listed", kPod, kPod.listed),
                             column("healthy", kPod, kPod.healthy)};
constexpr const ClientNow& kClient = kBlank<ClientNow>;
const std::array kClientColumns{column("name", kClient, kClient.name),
                                column("state", kClient, kClient.state),
                                column("open", kClient, kClient.open)};

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
  write_table(json, "world", sizeof(WorldNow), kWorldColumns);
  write_table(json, "events", sizeof(Event), kEventColumns);
  write_table(json, "pods", sizeof(PodNow), kPodColumns);
  write_table(json, "clients", sizeof(ClientNow), kClientColumns);
  for_each_table(Replay(), [&]<class One>(const std::vector<One>&) {
    write_table(json, One::kName, sizeof(One), kColumns<One>);
  });
}

struct Kind {
  std::string_view name;
  Certainty certainty;
  std::span<const Column> fields;
};

const auto kKinds = []<std::size_t... index>(std::index_sequence<index...>) {
  return std::array{Kind{std::variant_alternative_t<index, Fact>::kName,
                         std::variant_alternative_t<index, Fact>::kCertainty,
                         kColumns<std::variant_alternative_t<index, Fact>>}...};
}(std::make_index_sequence<std::variant_size_v<Fact>>());

void kinds(Json& json) {
  // Where a fact is in an event does not depend on which it is.
  const std::size_t base = offset_of(kEvent, std::get<0>(kEvent.fact));
  for (const Kind& kind : kKinds) {
    json.begin('{');
    json.key("name").string(kind.name);
    json.key("certainty").string(to_string(kind.certainty));
    json.key("fields");
    write_columns(json, kind.fields, base);
    json.end('}');
  }
}

template <class Enum>
void words(Json& json) {
  json.key(meaning<Enum>()).begin('[');
  for (std::uint8_t value = 0; value < kWordCount<Enum>; ++value) {
    json.string(to_string(static_cast<Enum>(value)));
  }
  json.end(']');
}

void texts(Json& json, std::string_view name, std::span<const std::string_view> all) {
  json.key(name).begin('[');
  for (const std::string_view text : all) json.string(text);
  json.end(']');
}

void option(Json& json, std::string_view name, std::string_view type, std::string_view usual,
            std::string_view help) {
  json.begin('{');
  json.key("name").string(name);
  json.key("type").string(type);
  json.key("usual").string(usual);
  json.key("help").string(help);
  json.end('}');
}

void options(Json& json, std::string_view whose, const std::vector<AnyOption>& all,
             bool (*there)(std::string_view)) {
  json.key(whose).begin('[');
  for (const AnyOption& one : all) {
    if (there(one.name))
      option(json, one.name, one.type->name, one.type->text(one.value), one.help);
  }
  json.end(']');
}

void policy(Json& json, const PolicyType& type) {
  json.begin('{');
  json.key("name").string(type.name);
  json.key("child").string(type.child);
  texts(json, "texts", type.texts);
  json.key("fields").begin('[');
  for (const PolicyField& field : type.fields) {
    json.begin('{');
    json.key("name").string(field.name);
    if (field.usual) json.key("usual").string(field_text(field, *field.usual));
    json.key("least").string(field_text(field, field.least));
    json.key("most").string(field_text(field, field.most));
    json.end('}');
  }
  json.end(']');
  json.end('}');
}

void command(Json& json, const Verb& verb) {
  json.begin('{');
  json.key("name").string(verb.name);
  texts(json, "given", verb.given);
  json.key("options").string(verb.options);
  json.key("help").string(verb.help);
  json.end('}');
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
  json.begin('{');
  json.key("version").string(Script::kVersion);
  json.key("tables").begin('[');
  tables(json);
  json.end(']');
  json.key("kinds").begin('[');
  kinds(json);
  json.end(']');
  json.key("words").begin('{');
  words<Certainty>(json);
  words<Graceful>(json);
  words<ConnectivityState>(json);
  words<FrameType>(json);
  words<Code>(json);
  texts(json, meaning<PodState>(), kPodStates);
  json.end('}');
  json.key("options").begin('{');
  SimConfig world;
  options(json, "world", any_options(world), any_name);
  options(json, "change", any_options(world), SimCluster::can_change);
  ChannelOptions channel;
  options(json, "channel", any_options(channel), is_virtual);
  json.key("config").begin('[');
  for (const ConfigWord& one : config_words()) option(json, one.name, one.type, kNone, one.help);
  json.end(']');
  LoadWords load;
  options(json, "load", any_options(load), any_name);
  json.end('}');
  json.key("policies").begin('[');
  for (const PolicyType& type : policies()) policy(json, type);
  json.end(']');
  json.key("commands").begin('[');
  for (const Verb& verb : verbs()) command(json, verb);
  json.end(']');
  json.end('}');
  return json.take();
}

}  // namespace greetlab
