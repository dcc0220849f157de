// Facts in words and numbers: whoever writes, shows or reads facts asks here what there is to say
// of each, and needs no case per fact.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "trace/fact.h"

namespace greetlab {

constexpr std::string_view to_string(Certainty certainty) {
  constexpr std::array<std::string_view, 3> kNames{"observed", "inferred", "sim_only"};
  return kNames[static_cast<std::size_t>(certainty)];
}

constexpr std::string_view to_string(Graceful graceful) {
  constexpr std::array<std::string_view, 3> kNames{"unknown", "yes", "no"};
  return kNames[static_cast<std::size_t>(graceful)];
}

// --- Enums ---------------------------------------------------------------------------------------

/// How many values an enum has that is told in words (`to_string`), counted from 0; 0 for one that
/// is told as a number.
template <class Enum>
inline constexpr std::uint8_t kWordCount = 0;
template <>
inline constexpr std::uint8_t kWordCount<Certainty> = 3;
template <>
inline constexpr std::uint8_t kWordCount<Graceful> = 3;
template <>
inline constexpr std::uint8_t kWordCount<ConnectivityState> = 5;
template <>
inline constexpr std::uint8_t kWordCount<FrameType> = kFrameTypeNames.size();
template <>
inline constexpr std::uint8_t kWordCount<Code> = kCodeNames.size();

/// `to_string` backwards; nothing for a word that is none of the enum's.
template <class Enum>
constexpr std::optional<Enum> from_word(std::string_view word) {
  static_assert(kWordCount<Enum> > 0, "this enum is told as a number");
  for (std::uint8_t value = 0; value < kWordCount<Enum>; ++value) {
    if (to_string(static_cast<Enum>(value)) == word) return static_cast<Enum>(value);
  }
  return std::nullopt;
}

// --- Kinds of facts ------------------------------------------------------------------------------

/// What there is to know of a kind of fact without having one.
struct FactKind {
  std::string_view name;
  Certainty certainty;  ///< The most that its events can claim in a client.
  std::span<const std::string_view> fields;
  Fact (*blank)();  ///< Makes one with every field 0.
};

/// The names of a fact's fields, in their order.
template <class OneFact>
inline constexpr auto kFieldNames = std::apply(
    [](const auto&... field) {
      return std::array<std::string_view, sizeof...(field)>{field.name...};
    },
    OneFact::fields());

/// Every kind, in the order of `Fact`'s alternatives: a fact's kind is `kFactKinds[fact.index()]`.
inline constexpr auto kFactKinds = []<std::size_t... index>(std::index_sequence<index...>) {
  return std::array{FactKind{std::variant_alternative_t<index, Fact>::kName,
                             std::variant_alternative_t<index, Fact>::kCertainty,
                             kFieldNames<std::variant_alternative_t<index, Fact>>,
                             [] { return Fact(std::in_place_index<index>); }}...};
}(std::make_index_sequence<std::variant_size_v<Fact>>());

constexpr const FactKind& fact_kind(const Fact& fact) {
  return kFactKinds[fact.index()];
}
constexpr std::string_view fact_name(const Fact& fact) {
  return fact_kind(fact).name;
}

/// The kind of this name; nullptr if there is none.
constexpr const FactKind* find_fact_kind(std::string_view name) {
  for (const FactKind& kind : kFactKinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

// --- Fields --------------------------------------------------------------------------------------

/// Calls `f(name, member)` for each field, in their order, with a reference to the member itself:
/// from a `Fact&` it can be set.
template <class SomeFact, class F>
  requires std::same_as<std::remove_const_t<SomeFact>, Fact>
constexpr void for_each_member(SomeFact& fact, F&& f) {
  std::visit(
      [&f](auto& one) {
        std::apply([&](const auto&... field) { (f(field.name, one.*field.member), ...); },
                   std::remove_cvref_t<decltype(one)>::fields());
      },
      fact);
}

/// A member as one of five types: `Symbol`, `bool`, `std::string_view` (an enum's word),
/// `std::int64_t` (nanoseconds: a `Time` or a `Duration`), `std::uint64_t` (an id, a count).
template <class Member>
constexpr auto plain(Member member) {
  if constexpr (std::same_as<Member, Symbol> || std::same_as<Member, bool>) {
    return member;
  } else if constexpr (std::same_as<Member, Time>) {
    return std::int64_t{member.time_since_epoch().count()};
  } else if constexpr (std::same_as<Member, Duration>) {
    return std::int64_t{member.count()};
  } else if constexpr (kWordCount<Member> > 0) {
    return to_string(member);
  } else if constexpr (std::is_enum_v<Member>) {
    return std::uint64_t{static_cast<std::underlying_type_t<Member>>(member)};
  } else {
    static_assert(std::unsigned_integral<Member>, "say here how this type of field is told");
    return std::uint64_t{member};
  }
}

/// Calls `f(name, value)` for each field, in their order, with the value as `told` gives it.
template <class F>
constexpr void for_each_field(const Fact& fact, F&& f) {
  for_each_member(fact,
                  [&f](std::string_view name, const auto& member) { f(name, plain(member)); });
}

}  // namespace greetlab
