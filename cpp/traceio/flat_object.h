// One line of JSON: an object of words, numbers and truths, without anything nested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greetlab {

/// The word as JSON, quotes and all, on one line. What is not UTF-8 in it becomes U+FFFD, because
/// JSON has no way to say it.
std::string json_quoted(std::string_view word);

/// The same for a message: not more of it than one cares to read.
std::string json_excerpt(std::string_view word);

/// Reads a line, gives its fields one by one, and notices what nobody asked for. Made to be used
/// again for the next line: it keeps its memory.
///
/// Everything throws std::invalid_argument with the reason, such as `field "call" is missing`.
class FlatObject {
 public:
  /// Forgets the last line. Throws for what is not JSON, not an object, or nested, and for a field
  /// that is there twice.
  void parse(std::string_view line);

  bool has(std::string_view name) const;

  // Each throws for a field that is missing or of another type.
  /// Good until the next `parse`.
  std::string_view take_text(std::string_view name);
  bool take_bool(std::string_view name);
  /// @throws also for more than `most`.
  std::uint64_t take_unsigned(std::string_view name, std::uint64_t most);
  std::int64_t take_signed(std::string_view name);

  /// @throws if there is a field that was not taken.
  void expect_nothing_left() const;

 private:
  class Reader;
  enum class Kind : std::uint8_t { text, truth, whole, negative, too_big, other };

  struct Field {
    std::string name;
    std::string text;
    std::uint64_t number = 0;  // of a negative one: its bits; of a truth: 0 or 1
    Kind kind = Kind::other;
    bool taken = false;
  };

  Field& take(std::string_view name);

  std::vector<Field> fields_;  // the first size_ are this line's
  std::size_t size_ = 0;
};

}  // namespace greetlab
