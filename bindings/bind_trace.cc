#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "bindings.h"
#include "trace/digest.h"
#include "trace/fact_text.h"
#include "trace/story.h"
#include "trace_handle.h"
#include "traceio/json_lines.h"
#include "waiting.h"

namespace py = pybind11;

namespace greetlab {
namespace {

// A read-only NumPy view of one field of every event, without a copy; it keeps the trace alive.
template <class Value>
py::array column(const py::object& self, std::size_t offset) {
  const auto events = self.cast<const TraceHandle&>().events();
  const auto* first = reinterpret_cast<const std::byte*>(events.data()) + offset;
  py::array view(py::dtype::of<Value>(), {static_cast<py::ssize_t>(events.size())},
                 {static_cast<py::ssize_t>(sizeof(Event))}, first, self);
  view.attr("flags").attr("writeable") = false;
  return view;
}

py::dict fields_of(const TraceHandle& trace, const Fact& fact) {
  py::dict fields;
  for_each_field(fact, [&](std::string_view name, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, Symbol>) {
      fields[py::str(name.data(), name.size())] = trace.symbols().word(value);
    } else {
      fields[py::str(name.data(), name.size())] = py::cast(value);
    }
  });
  return fields;
}

// A field's value as a column has it: a word as its index into `words`, a state or a code as its
// number, a time or a duration in nanoseconds.
template <class Value>
auto number(Value value) {
  if constexpr (std::is_same_v<Value, Time>) {
    return value.time_since_epoch().count();
  } else if constexpr (std::is_same_v<Value, Duration>) {
    return value.count();
  } else if constexpr (std::is_enum_v<Value>) {
    return static_cast<std::underlying_type_t<Value>>(value);
  } else {
    return value;
  }
}

using Rows = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>;

// Rows come from Python, and may be any number.
const Event& event_at(std::span<const Event> events, std::int64_t row) {
  if (row < 0 || static_cast<std::size_t>(row) >= events.size()) {
    throw py::index_error("no event " + std::to_string(row) + ": the trace has " +
                          std::to_string(events.size()));
  }
  return events[static_cast<std::size_t>(row)];
}

// One field of the events in these rows. The facts of a kind lie between those of others, at no
// regular distance, so this is a copy.
template <class OneFact, class Value>
py::array gathered(const TraceHandle& trace, const Rows& rows, Value OneFact::* member) {
  const auto events = trace.events();
  py::array_t<decltype(number(Value{}))> column(rows.size());
  const auto row = rows.unchecked<1>();
  auto out = column.mutable_unchecked();
  for (py::ssize_t i = 0; i < rows.size(); ++i) {
    const auto* fact = std::get_if<OneFact>(&event_at(events, row(i)).fact);
    if (fact == nullptr) {
      throw std::invalid_argument("event " + std::to_string(row(i)) + " is no " +
                                  std::string(OneFact::kName));
    }
    out(i) = number(fact->*member);
  }
  return column;
}

py::array fields_column(const TraceHandle& trace, const Rows& rows, std::string_view kind,
                        std::string_view field) {
  std::optional<py::array> column;
  const auto try_kind = [&]<class OneFact>(std::type_identity<OneFact>) {
    if (OneFact::kName != kind) return;
    std::apply(
        [&](const auto&... one) {
          ((one.name == field ? void(column = gathered(trace, rows, one.member)) : void()), ...);
        },
        OneFact::fields());
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (try_kind(std::type_identity<std::variant_alternative_t<I, Fact>>{}), ...);
  }(std::make_index_sequence<std::variant_size_v<Fact>>());
  if (!column) {
    throw std::invalid_argument("no field '" + std::string(field) + "' of a kind '" +
                                std::string(kind) +
                                "': greetlab._core.fact_fields(kind) lists them");
  }
  return *column;
}

// A table of the replay, as columns: rows and places as they are (-1: none), the rest as `number`.
template <class Row>
py::dict columns_of(const std::vector<Row>& table) {
  py::dict columns;
  const auto size = static_cast<py::ssize_t>(table.size());
  std::apply(
      [&](const auto&... field) {
        (
            [&] {
              py::array_t<std::int64_t> column(size);
              auto out = column.mutable_unchecked();
              for (py::ssize_t i = 0; i < size; ++i) {
                out(i) = static_cast<std::int64_t>(
                    number(table[static_cast<std::size_t>(i)].*field.member));
              }
              columns[py::str(field.name.data(), field.name.size())] = column;
            }(),
            ...);
      },
      Row::columns());
  return columns;
}

template <class F>
void for_each_table(const Replay& replay, F&& f) {
  f(replay.lookups());
  f(replay.lists());
  f(replay.subchannels());
  f(replay.connections());
  f(replay.calls());
  f(replay.frames());
}

py::dict table(const TraceHandle& trace, std::string_view name) {
  std::optional<py::dict> found;
  for_each_table(trace.replay(), [&]<class One>(const std::vector<One>& rows) {
    if (One::kName == name) found = columns_of(rows);
  });
  if (!found) throw std::invalid_argument("no table '" + std::string(name) + "'");
  return *found;
}

// What a column's numbers stand for.
template <class Value>
constexpr std::string_view stands_for() {
  if constexpr (std::is_same_v<Value, Row>) return "row";
  if constexpr (std::is_same_v<Value, Place>) return "place";
  if constexpr (std::is_same_v<Value, Symbol>) return "word";
  if constexpr (std::is_same_v<Value, Code>) return "code";
  return "number";
}

py::dict tables() {
  py::dict all;
  for_each_table(Replay(), [&]<class One>(const std::vector<One>&) {
    py::dict columns;
    std::apply(
        [&](const auto&... field) {
          ((columns[py::str(std::string(field.name))] = py::make_tuple(
                stands_for<std::remove_cvref_t<decltype(std::declval<One>().*field.member)>>(),
                field.since)),
           ...);
        },
        One::columns());
    all[py::str(std::string(One::kName))] = columns;
  });
  return all;
}

std::vector<std::string> split(const std::string& addresses) {
  std::vector<std::string> parts;
  std::istringstream text(addresses);
  for (std::string part; std::getline(text, part, ',');) parts.push_back(part);
  return parts;
}

// The world when the events before `end` have happened.
py::dict snapshot(const TraceHandle& trace, std::size_t end) {
  const auto events = trace.events().first(std::min(end, trace.events().size()));
  Replay replay;
  for (const Event& event : events) replay.apply(event);
  const auto word = [&](Symbol symbol) { return trace.symbols().word(symbol); };
  py::dict clients;
  std::unordered_map<Symbol, py::dict> shown_of;
  for (const auto& [who, client] : replay.clients()) {
    py::dict& shown = shown_of[who];
    shown["state"] = to_string(client.state);
    shown["addresses"] = split(word(client.addresses));
    shown["pending"] = client.pending ? py::cast(split(word(*client.pending))) : py::none();
    shown["subchannels"] = py::dict();
    shown["picker"] = client.picker == Symbol::none ? "queue" : word(client.picker);
    shown["ready"] = client.ready;
    shown["queued"] = py::list();
    shown["in_flight"] = py::dict();
    shown["ended"] = client.ended;
    clients[py::str(word(who))] = shown;
  }
  for (const auto& one : replay.subchannels()) {
    if (one.end != kNoRow) continue;
    shown_of[one.client]["subchannels"][py::str(word(one.address))] = to_string(one.state);
  }
  for (const auto& call : replay.calls()) {
    if (call.end != kNoRow) continue;
    const py::dict& shown = shown_of[call.client];
    if (call.waits) shown["queued"].attr("append")(number(call.id));
    if (call.picked == kNoRow) continue;
    shown["in_flight"][py::int_(number(call.id))] =
        call.subchannel == Place::none
            ? std::string("?")
            : word(replay.subchannels()[static_cast<std::size_t>(call.subchannel)].address);
  }
  py::dict pods;
  for (const auto& [pod, change] : replay.pods()) pods[py::str(word(pod))] = word(change);
  py::dict endpoints;
  for (const auto& [service, listed] : replay.endpoints()) {
    endpoints[py::str(word(service))] = split(word(listed));
  }
  py::dict world;
  world["seconds"] = static_cast<double>(replay.now().time_since_epoch().count()) / 1e9;
  world["pods"] = pods;
  py::dict loads;
  for (const auto& [pod, load] : replay.loads()) {
    loads[py::str(word(pod))] = std::pair(load.in_service, load.waiting);
  }
  world["loads"] = loads;
  world["endpoints"] = endpoints;
  world["clients"] = clients;
  return world;
}

Story story_of(const TraceHandle& trace) {
  return Story(trace.symbols(), trace.names(),
               origin(trace.events(), trace.symbols(), trace.world()));
}

py::tuple sentences(const TraceHandle& trace, const Rows& rows, std::string_view mark) {
  std::vector<const Event*> events;
  const auto all = trace.events();
  for (py::ssize_t i = 0; i < rows.size(); ++i) {
    events.push_back(&event_at(all, rows.at(i)));
  }
  Story::Templates made = story_of(trace).templates(events, mark);
  return py::make_tuple(
      std::move(made.sentences),
      py::array_t<std::uint32_t>(static_cast<py::ssize_t>(made.of.size()), made.of.data()));
}

template <class Enum>
std::vector<std::string_view> words_of() {
  std::vector<std::string_view> words;
  for (std::uint8_t value = 0; value < kWordCount<Enum>; ++value) {
    words.push_back(to_string(static_cast<Enum>(value)));
  }
  return words;
}

// A trace that was read from a file.
class ReadTrace final : public TraceHandle {
 public:
  explicit ReadTrace(LoadedTrace loaded) : loaded_(std::move(loaded)) {}

  std::span<const Event> events() const override { return loaded_.events; }
  const Symbols& symbols() const override { return loaded_.symbols; }
  std::uint64_t dropped() const override { return loaded_.dropped; }
  std::string world() const override { return loaded_.world; }

 private:
  const LoadedTrace loaded_;
};

// One that comes in pieces from where it happens. Python's lock is held by who receives, as by who
// reads.
class ComingTrace final : public TraceHandle {
 public:
  ComingTrace(std::size_t capacity, std::string world) : received_(capacity, std::move(world)) {}

  void receive(const std::string& piece) {
    std::istringstream stream(piece);
    received_.receive(stream);
  }

  std::span<const Event> events() const override { return received_.events(); }
  const Symbols& symbols() const override { return received_.symbols(); }
  std::uint64_t dropped() const override { return received_.dropped(); }
  std::string world() const override { return received_.world(); }

 private:
  ReceivedTrace received_;
};

void save(const TraceHandle& trace, const py::array_t<std::int64_t>& rows,
          const std::string& path) {
  const auto all = trace.events();
  std::vector<Event> chosen;
  chosen.reserve(static_cast<std::size_t>(rows.size()));
  for (py::ssize_t i = 0; i < rows.size(); ++i) {
    chosen.push_back(event_at(all, rows.at(i)));
  }
  const Unlocked unlocked;
  std::ofstream file(checked_path(path));
  write_trace(file, chosen, trace.symbols(), trace.dropped(), trace.world());
  file.close();
  if (!file) throw std::runtime_error("write " + path + ": " + std::strerror(errno));
}

std::shared_ptr<TraceHandle> load(const std::string& path) {
  const Unlocked unlocked;
  std::ifstream file(checked_path(path));
  if (!file) throw std::runtime_error("read " + path + ": " + std::strerror(errno));
  try {
    return std::make_shared<ReadTrace>(read_trace(file));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(path + ", " + error.what());
  }
}

std::shared_ptr<TraceHandle> parse(const std::string& text) {
  const Unlocked unlocked;
  std::istringstream stream(text);
  return std::make_shared<ReadTrace>(read_trace(stream));
}

}  // namespace

void bind_trace(py::module_& module) {
  py::class_<TraceHandle, std::shared_ptr<TraceHandle>>(module, "Trace", R"(
What happened, when, to whom, and because of what.

The columns are read-only NumPy views of C++ memory, without a copy: 56 bytes an event. They show
what is there at the moment; ask again for what has come since.)")
      .def("__len__", [](const TraceHandle& trace) { return trace.events().size(); })
      .def_property_readonly("dropped", &TraceHandle::dropped, "Events that came when it was full.")
      .def_property_readonly("world", &TraceHandle::world)
      .def_property_readonly(
          "time_ns",
          [](const py::object& self) { return column<std::int64_t>(self, offsetof(Event, at)); },
          "int64: when, in nanoseconds of the world's clock.")
      .def_property_readonly(
          "id",
          [](const py::object& self) { return column<std::uint32_t>(self, offsetof(Event, id)); },
          "uint32: counted from 1.")
      .def_property_readonly(
          "cause",
          [](const py::object& self) {
            return column<std::uint32_t>(self, offsetof(Event, cause));
          },
          "uint32: the id of the event that led to it; 0 = none.")
      .def_property_readonly(
          "who",
          [](const py::object& self) { return column<std::uint32_t>(self, offsetof(Event, who)); },
          "uint32: to whom; an index into `words`.")
      .def_property_readonly(
          "kind",
          [](const py::object& self) { return column<std::uint8_t>(self, offsetof(Event, kind)); },
          "uint8: what; an index into `fact_kinds`.")
      .def_property_readonly(
          "certainty",
          [](const py::object& self) {
            return column<std::uint8_t>(self, offsetof(Event, certainty));
          },
          "uint8: 0 observed, 1 inferred, 2 known to a simulator only.")
      .def_property_readonly(
          "words",
          [](const TraceHandle& trace) {
            std::vector<std::string> words;
            for (std::uint32_t i = 0; i < trace.symbols().size(); ++i) {
              words.push_back(trace.symbols().word(static_cast<Symbol>(i)));
            }
            return words;
          },
          "The words that the events use.")
      .def(
          "fields",
          [](const TraceHandle& trace, std::int64_t row) {
            return fields_of(trace, event_at(trace.events(), row).fact);
          },
          py::arg("row"), "What there is to say of one event, by name.")
      .def("column", &fields_column, py::arg("rows"), py::arg("kind"), py::arg("field"), R"(
One field of these events, all of one kind. Words are indices into `words`, states and codes are
their numbers, times and durations are nanoseconds.)")
      .def_property_readonly(
          "origin_ns",
          [](const TraceHandle& trace) {
            return origin(trace.events(), trace.symbols(), trace.world())
                .time_since_epoch()
                .count();
          },
          "From when its story counts.")
      .def(
          "sentence",
          [](const TraceHandle& trace, std::int64_t row) {
            const Event& event = event_at(trace.events(), row);
            return story_of(trace).sentence(event);
          },
          py::arg("row"), "What happened, in words.")
      .def("sentences", &sentences, py::arg("rows"), py::arg("mark"), R"(
Each different sentence of these rows once, with `mark` in place of a call's number; and which of
them each row has.)")
      .def(
          "digest",
          [](const TraceHandle& trace, std::optional<std::size_t> first) {
            const auto all = trace.events();
            return digest(all.first(std::min(first.value_or(all.size()), all.size())),
                          trace.symbols());
          },
          py::arg("first") = py::none(),
          "16 hexadecimal digits, the same for the same events. first: of so many of them.")
      .def("now", &TraceHandle::now, "The same as it is now, without what comes later.")
      .def("snapshot", &snapshot, py::arg("end"), R"(
The world when the events before row `end` have happened: see greetlab.trace.stepper.Snapshot.)")
      .def("table", &table, py::arg("name"), R"(
What there was, a row each, in the order in which it began: "lookups", "lists", "subchannels",
"connections", "calls" (cpp/trace/replay.h has their fields). When is the row of the event, whose
connection is the row of that table; -1: it did not happen.)")
      .def("save", &save, py::arg("rows"), py::arg("path"), "Writes these rows as JSON lines.")
      .def_static("load", &load, py::arg("path"), "Reads what `save` wrote.")
      .def_static("parse", &parse, py::arg("text"), "Reads the same from a text.");

  py::class_<ComingTrace, std::shared_ptr<ComingTrace>>(module, "ReceivedTrace", R"(
A trace that is still going on elsewhere, and comes in pieces.)")
      .def(py::init<std::size_t, std::string>(), py::arg("capacity"), py::arg("world"),
           "capacity: how many events it keeps.")
      .def_property_readonly(
          "trace", [](const std::shared_ptr<ComingTrace>& coming) { return coming->now(); },
          "What has come so far.")
      .def(
          "receive", &ComingTrace::receive, py::arg("piece"),
          "Adds the events of a piece: lines, as `save` writes them. Raises ValueError for what is "
          "none, or does not follow.");

  module.def("trace_version", [] { return kTraceVersion; }, "The version of the JSON lines.");

  module.def(
      "fact_kinds",
      [] {
        std::vector<std::string> names;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
          (names.emplace_back(std::variant_alternative_t<I, Fact>::kName), ...);
        }(std::make_index_sequence<std::variant_size_v<Fact>>());
        return names;
      },
      "The names of all kinds of facts; a trace's column `kind` counts in this order.");

  module.def("tables", &tables, R"(
The tables of a trace (`Trace.table`), and what the numbers of each of their columns stand for: a
"row" of the trace, the "place" of a row in another table, a "word", a "code", or a plain "number";
and the column with the row that it was known since: {table: {column: (kind, since)}}.)");
  module.def("connectivity_states", &words_of<ConnectivityState>, "By number.");
  module.def("status_codes", &words_of<Code>, "gRPC's, by number.");
  module.def("frame_types", &words_of<FrameType>, "HTTP/2's, by number; and two that have none.");
  module.def("certainties", &words_of<Certainty>, "How a fact can be known, by number.");

  module.def(
      "fact_fields",
      [](std::string_view kind) {
        std::vector<std::string> names;
        if (const FactKind* const found = find_fact_kind(kind)) {
          names.assign(found->fields.begin(), found->fields.end());
        }
        return names;
      },
      py::arg("kind"), "The names of a kind's fields, in their order; none for no kind.");
}

}  // namespace greetlab
