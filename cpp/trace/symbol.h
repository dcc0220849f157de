// Words of a trace, each kept once.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace greetlab {

/// A word in a table of `Symbols`; equal words have equal symbols. 0 is the empty word.
enum class Symbol : std::uint32_t { none = 0 };

/// Only grows, so a symbol is good for as long as the table is.
///
/// One thread interns. Others may read meanwhile: `size`, and the word of any symbol that they came
/// by in an order that the two threads agree on (from an event of a `Recording`, or below `size`).
class Symbols {
 public:
  Symbols() { intern(""); }
  Symbols(Symbols&& other) noexcept
      : blocks_(std::move(other.blocks_)),
        size_(other.size_.exchange(0)),
        symbols_(std::move(other.symbols_)),
        bytes_(other.bytes_),
        most_bytes_(other.most_bytes_),
        too_many_(other.too_many_) {}
  Symbols(const Symbols&) = delete;  // a copy's keys would point into what it was copied from
  Symbols& operator=(const Symbols&) = delete;

  /// From now on, words that come when those that are kept take above so many bytes are all one:
  /// "(one word too many)". For a trace that never ends, and that strangers have words in.
  void keep_at_most(std::size_t bytes) {
    too_many_ = intern("(one word too many)");
    most_bytes_ = bytes;
  }

  Symbol intern(std::string_view word) {
    if (const auto found = symbols_.find(word); found != symbols_.end()) return found->second;
    constexpr std::size_t kEach = 128;  // the string, its place here, and its place among the keys
    if (bytes_ + word.size() + kEach > most_bytes_) return too_many_;
    bytes_ += word.size() + kEach;
    const std::uint32_t index = size_.load(std::memory_order_relaxed);
    const auto [block, place] = locate(index);
    if (!blocks_[block]) blocks_[block] = std::make_unique<std::string[]>(kFirst << block);
    std::string& kept = blocks_[block][place];
    kept = word;
    const auto symbol = static_cast<Symbol>(index);
    symbols_.emplace(kept, symbol);
    size_.store(index + 1, std::memory_order_release);
    return symbol;
  }

  /// @throws std::out_of_range for what is no symbol of this table.
  const std::string& word(Symbol symbol) const {
    const auto index = static_cast<std::uint32_t>(symbol);
    if (index >= size()) throw std::out_of_range("no symbol " + std::to_string(index));
    const auto [block, place] = locate(index);
    return blocks_[block][place];
  }

  std::uint32_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  // Blocks of 64, 128, 256, ... words: they never move, and are found by counting bits.
  static constexpr std::uint32_t kFirst = 64;
  static constexpr std::pair<std::size_t, std::size_t> locate(std::uint32_t index) {
    const std::uint64_t shifted = std::uint64_t{index} + kFirst;
    const auto block = static_cast<std::size_t>(std::bit_width(shifted) - std::bit_width(kFirst));
    return {block, shifted - (std::uint64_t{kFirst} << block)};
  }

  std::array<std::unique_ptr<std::string[]>, 27> blocks_;
  std::atomic<std::uint32_t> size_{0};
  std::unordered_map<std::string_view, Symbol> symbols_;  // the keys point into the blocks
  std::size_t bytes_ = 0;
  std::size_t most_bytes_ = SIZE_MAX;
  Symbol too_many_ = Symbol::none;
};

}  // namespace greetlab
