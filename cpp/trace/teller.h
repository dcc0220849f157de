// What a fact's sentence is put together with: words, numbers, and the names of what it is about.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/time.h"
#include "trace/ids.h"
#include "trace/symbol.h"

namespace greetlab {

/// Each fact tells itself (`std::string sentence(const Teller&) const`, beside its fields in
/// trace/fact.h); this knows what a fact does not: the words, whose address a subchannel is, from
/// when the story counts its time.
class Teller {
 public:
  virtual ~Teller() = default;

  /// To whom it happened: "client-1".
  std::string who;

  /// All of it in a row: words, numbers, states and codes by their names.
  template <class... Part>
  std::string say(const Part&... part) const {
    std::string text;
    (append(text, part), ...);
    return text;
  }

  virtual const std::string& word(Symbol symbol) const = 0;
  /// "10.244.0.3:50051"; "subchannel 7" where the trace does not tell.
  virtual std::string address(SubchannelId subchannel) const = 0;
  /// Where a connection was dialled to; "" where the trace does not tell.
  virtual std::string dialled(ConnectionId connection) const = 0;
  /// A moment as the story counts it: "12.403 s".
  virtual std::string moment(Time at) const = 0;
  /// "call 3". The animated flow writes a sentence once for ten thousand calls, and puts the number
  /// in itself.
  virtual std::string call(CallId call) const { return "call " + number(call); }

  /// "0.52 ms".
  static std::string milliseconds(Duration duration);
  /// "12.403 s".
  static std::string seconds(Duration duration);
  /// "4.2" for 4200.
  static std::string thousandths(std::uint32_t thousandths);
  /// "12.5 %" of 125'000 millionths: with one digit, where it is no whole number.
  static std::string percent(std::uint32_t millionths);
  /// "NXDOMAIN": as DNS writes what the trace has as "nxdomain".
  static std::string upper(std::string word);
  /// "1 address", "2 addresses".
  static std::string counted(std::uint32_t count, std::string_view noun);
  /// A list in one word, "a,b", as people write it: "a, b"; `nobody` for an empty one.
  std::string list(Symbol addresses, std::string_view nobody = "") const;
  /// Whether there are IPv4 and IPv6 ones among them.
  bool both_families(Symbol addresses) const;
  /// ": why"; nothing without a reason.
  std::string reason(Symbol why) const;

 private:
  template <class Number>
  static std::string number(Number value) {
    if constexpr (std::is_enum_v<Number>) {
      return std::to_string(static_cast<std::underlying_type_t<Number>>(value));
    } else {
      return std::to_string(value);
    }
  }

  void append(std::string& text, std::string_view part) const { text += part; }
  void append(std::string& text, Symbol part) const { text += word(part); }
  void append(std::string& text, CallId part) const { text += call(part); }
  void append(std::string& text, std::unsigned_integral auto part) const { text += number(part); }
};

}  // namespace greetlab
