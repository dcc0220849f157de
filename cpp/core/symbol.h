// Words of a trace, each kept once.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace greetlab {

/// A word in a table of `Symbols`; equal words have equal symbols. 0 is the empty word.
enum class Symbol : std::uint32_t { none = 0 };

/// Only grows, so a symbol is good for as long as the table is.
class Symbols {
 public:
  Symbols() { intern(""); }
  Symbols(Symbols&&) = default;  // a copy's keys would point into what it was copied from
  Symbols& operator=(Symbols&&) = default;

  Symbol intern(std::string_view word) {
    if (const auto found = symbols_.find(word); found != symbols_.end()) return found->second;
    const auto symbol = static_cast<Symbol>(words_.size());
    symbols_.emplace(words_.emplace_back(word), symbol);
    return symbol;
  }

  const std::string& word(Symbol symbol) const {
    return words_.at(static_cast<std::size_t>(symbol));
  }

  std::size_t size() const { return words_.size(); }

 private:
  std::deque<std::string> words_;  // a deque never moves what it holds: the keys point into it
  std::unordered_map<std::string_view, Symbol> symbols_;
};

}  // namespace greetlab
