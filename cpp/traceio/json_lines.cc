#include "traceio/json_lines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <istream>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <type_traits>

#include "core/read_line.h"
#include "trace/fact_text.h"
#include "traceio/flat_object.h"

namespace greetlab {

namespace {

// A fact's field must not be called as one that every event has.
constexpr std::array<std::string_view, 6> kEventFields{"id",  "cause",     "at_ns",
                                                       "who", "certainty", "fact"};
static_assert(std::ranges::none_of(kFactKinds, [](const FactKind& kind) {
  return std::ranges::any_of(kind.fields, [](std::string_view field) {
    return field == "at" || std::ranges::find(kEventFields, field) != kEventFields.end();
  });
}));

/// Puts lines together by hand: what is not a word of a trace needs no escaping, and those words
/// are few and come again and again, so each is escaped once.
class Writer {
 public:
  Writer(std::ostream& out, const Symbols& symbols)
      : out_(out), symbols_(symbols), quoted_(symbols.size()) {}

  void write(const Event& event) {
    text_ += "{\"id\":";
    number(static_cast<std::uint32_t>(event.id));
    text_ += ",\"cause\":";
    number(static_cast<std::uint32_t>(event.cause));
    text_ += ",\"at_ns\":";
    number(plain(event.at));
    text_ += ",\"who\":";
    value(event.who);
    text_ += ",\"certainty\":";
    value(to_string(event.certainty));
    text_ += ",\"fact\":";
    value(fact_name(event.fact));
    for_each_field(event.fact, [this]<class Told>(std::string_view name, Told told_value) {
      text_ += ",\"";
      text_ += name;
      if constexpr (std::same_as<Told, std::int64_t>) text_ += "_ns";
      text_ += "\":";
      value(told_value);
    });
    text_ += "}\n";
    if (text_.size() >= kBlock) flush();
  }

  void flush() {
    out_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    text_.clear();
  }

 private:
  static constexpr std::size_t kBlock = 1 << 16;

  void value(Symbol symbol) {
    const std::string& word = symbols_.word(symbol);  // throws for a symbol of another table
    std::string& quoted = quoted_[static_cast<std::size_t>(symbol)];
    if (quoted.empty()) quoted = json_quoted(word);
    text_ += quoted;
  }
  void value(std::string_view plain) {
    text_ += '"';
    text_ += plain;
    text_ += '"';
  }
  void value(std::same_as<bool> auto truth) { text_ += truth ? "true" : "false"; }
  void value(std::uint64_t count) { number(count); }
  void value(std::int64_t nanoseconds) { number(nanoseconds); }

  void number(std::integral auto number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    text_.append(digits.data(), end);
  }

  std::ostream& out_;
  const Symbols& symbols_;
  std::vector<std::string> quoted_;  // by symbol; empty: not yet needed
  std::string text_;
};

[[noreturn]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

template <class Enum>
Enum take_word(FlatObject& line, std::string_view name) {
  const std::string_view word = line.take_text(name);
  if (const auto value = from_word<Enum>(word)) return *value;
  refuse("field " + json_quoted(name) + " is not one of its words: " + json_excerpt(word));
}

template <class Number>
Number take_number(FlatObject& line, std::string_view name) {
  return static_cast<Number>(line.take_unsigned(name, std::numeric_limits<Number>::max()));
}

/// A fact's field of any type: what `told` (trace/fact_text.h) makes of it, backwards.
template <class Member>
void take_member(FlatObject& line, std::string_view name, Symbols& symbols, Member& member) {
  if constexpr (std::same_as<Member, Symbol>) {
    member = symbols.intern(line.take_text(name));
  } else if constexpr (std::same_as<Member, bool>) {
    member = line.take_bool(name);
  } else if constexpr (std::same_as<Member, Time> || std::same_as<Member, Duration>) {
    member = Member(Duration(line.take_signed(std::string(name) + "_ns")));
  } else if constexpr (kWordCount<Member> > 0) {
    member = take_word<Member>(line, name);
  } else if constexpr (std::is_enum_v<Member>) {
    member = static_cast<Member>(take_number<std::underlying_type_t<Member>>(line, name));
  } else {
    member = take_number<Member>(line, name);
  }
}

/// What stands before the events.
struct Header {
  std::string world;
  std::uint64_t dropped = 0;
  std::uint64_t events = 0;
};

class Reader {
 public:
  /// @param last_id of the event that came before; 0: none.
  Reader(std::istream& in, Symbols& symbols, std::uint32_t last_id = 0)
      : in_(in), symbols_(symbols), last_id_(last_id) {}

  /// @param keep called with each event.
  template <class Keep>
  Header read(const Keep& keep) try {
    if (!next_line()) refuse("not a trace: nothing in it");
    Header header = read_header();
    std::uint64_t count = 0;
    while (next_line()) {
      if (count == header.events) {
        refuse("more than the " + std::to_string(header.events) + " events that line 1 speaks of");
      }
      line_.parse(text_);
      keep(read_event());
      ++count;
    }
    if (count != header.events) {
      refuse("cut short: the file ends after " + std::to_string(count) +
             " events, line 1 speaks of " + std::to_string(header.events));
    }
    return header;
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("line " + std::to_string(number_) + ": " + error.what());
  }

 private:
  bool next_line() {
    ++number_;
    if (read_line(in_, text_)) return true;
    if (in_.bad()) refuse("cannot be read");  // such as a folder
    if (!in_.eof()) refuse("longer than " + std::to_string(kLongestLine) + " bytes");
    return false;
  }

  Header read_header() {
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    line_.parse(text_);
    if (!line_.has("greetlab_trace")) refuse("not a trace: no field \"greetlab_trace\"");
    // Before all else: another version may have any other field.
    const std::uint64_t version = line_.take_unsigned("greetlab_trace", kMost);
    if (version != kTraceVersion) {
      refuse((version > kTraceVersion ? "written by a newer greetlab: version "
                                      : "written by an older greetlab: version ") +
             std::to_string(version) + ", this reads " + std::to_string(kTraceVersion));
    }
    Header header;
    header.world = line_.take_text("world");
    header.dropped = line_.take_unsigned("dropped", kMost);
    header.events = line_.take_unsigned("events", kMost);
    line_.expect_nothing_left();
    return header;
  }

  Event read_event() {
    const auto id = take_number<std::uint32_t>(line_, "id");
    const auto cause = take_number<std::uint32_t>(line_, "cause");
    if (id <= last_id_) {
      refuse("event " + std::to_string(id) +
             (last_id_ == 0 ? ": they are counted from 1"
                            : " comes after event " + std::to_string(last_id_)));
    }
    if (cause >= id) {
      refuse("event " + std::to_string(id) +
             " has a cause that is not before it: " + std::to_string(cause));
    }
    last_id_ = id;

    const Time at(Duration(line_.take_signed("at_ns")));
    const Symbol who = symbols_.intern(line_.take_text("who"));
    const auto certainty = take_word<Certainty>(line_, "certainty");
    const std::string_view name = line_.take_text("fact");
    const FactKind* const kind = find_fact_kind(name);
    if (kind == nullptr) refuse("unknown fact " + json_excerpt(name));
    Event event{};
    event.at = at;
    event.id = static_cast<EventId>(id);
    event.cause = static_cast<EventId>(cause);
    event.who = who;
    event.certainty = certainty;
    event.fact = kind->blank();
    event.kind = static_cast<std::uint8_t>(event.fact.index());
    for_each_member(event.fact, [this](std::string_view field, auto& member) {
      take_member(line_, field, symbols_, member);
    });
    line_.expect_nothing_left();
    std::visit(
        [this](const auto& fact) {
          if constexpr (requires { fact.fault(symbols_); }) {
            if (const auto fault = fact.fault(symbols_); !fault.empty()) {
              refuse(std::string(fault));
            }
          }
        },
        event.fact);
    return event;
  }

  std::istream& in_;
  Symbols& symbols_;
  std::string text_;
  FlatObject line_;
  std::uint64_t number_ = 0;
  std::uint32_t last_id_;
};

}  // namespace

void write_trace(std::ostream& out, std::span<const Event> events, const Symbols& symbols,
                 std::uint64_t dropped, std::string_view world) {
  // Not `out << number`: the stream's locale may put commas into it.
  out << "{\"greetlab_trace\":" + std::to_string(kTraceVersion) +
             ",\"world\":" + json_quoted(world) + ",\"events\":" + std::to_string(events.size()) +
             ",\"dropped\":" + std::to_string(dropped) + "}\n";
  Writer writer(out, symbols);
  for (const Event& event : events) writer.write(event);
  writer.flush();
}

LoadedTrace read_trace(std::istream& in) {
  LoadedTrace trace;
  Header header =
      Reader(in, trace.symbols).read([&](const Event& event) { trace.events.push_back(event); });
  trace.world = std::move(header.world);
  trace.dropped = header.dropped;
  return trace;
}

void ReceivedTrace::receive(std::istream& piece) {
  const Header header = Reader(piece, symbols_, last_id_).read([this](const Event& event) {
    last_id_ = static_cast<std::uint32_t>(event.id);
    recording_.on_event(event);
  });
  dropped_.store(header.dropped, std::memory_order_relaxed);
}

}  // namespace greetlab
