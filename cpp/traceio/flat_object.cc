#include "traceio/flat_object.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace greetlab {

using nlohmann::json;

namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

[[noreturn]] void refuse_field(std::string_view name, const char* what) {
  refuse("field " + json_excerpt(name) + " " + what);
}

}  // namespace

std::string json_quoted(std::string_view word) {
  return json(word).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string json_excerpt(std::string_view word) {
  constexpr std::size_t kMost = 60;
  return word.size() <= kMost ? json_quoted(word) : json_quoted(word.substr(0, kMost)) + "...";
}

/// What nlohmann's parser tells as it goes. No tree is built: a line is flat, and a tree would not
/// notice a field that is there twice.
class FlatObject::Reader final : public nlohmann::json_sax<json> {
 public:
  explicit Reader(FlatObject& object) : object_(object) {}

  const std::string& reason() const { return reason_; }

  bool null() override { return value(Kind::other); }
  bool boolean(bool truth) override { return value(Kind::truth, truth ? 1 : 0); }
  bool number_integer(number_integer_t number) override {
    // "-0" comes here, too.
    return value(number < 0 ? Kind::negative : Kind::whole, static_cast<std::uint64_t>(number));
  }
  bool number_unsigned(number_unsigned_t number) override { return value(Kind::whole, number); }
  bool number_float(number_float_t, const string_t& digits) override {
    // An integer that 64 bits do not hold arrives as a float.
    const bool whole = digits.find_first_of(".eE") == string_t::npos;
    return value(whole ? Kind::too_big : Kind::other);
  }
  bool string(string_t& text) override {
    if (!value(Kind::text)) return false;
    field().text.swap(text);
    return true;
  }
  bool binary(binary_t&) override { return value(Kind::other); }

  bool start_object(std::size_t) override {
    if (inside_) return refuse("holds an object within the object");
    inside_ = true;
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override {
    return refuse(inside_ ? "holds a list" : "not an object");
  }
  bool end_array() override { return true; }

  bool key(string_t& name) override {
    if (object_.has(name)) return refuse("field " + json_excerpt(name) + " is there twice");
    if (object_.size_ == object_.fields_.size()) object_.fields_.emplace_back();
    ++object_.size_;
    field().name.swap(name);
    field().taken = false;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOutOfRange = 406;  // 1e999
    return refuse(error.id == kNumberOutOfRange
                      ? "a number is out of range"
                      : "not JSON, from byte " + std::to_string(position) + " on");
  }

 private:
  Field& field() { return object_.fields_[object_.size_ - 1]; }

  bool value(Kind kind, std::uint64_t number = 0) {
    if (!inside_) return refuse("not an object");
    field().kind = kind;
    field().number = number;
    return true;
  }

  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  FlatObject& object_;
  std::string reason_;
  bool inside_ = false;
};

void FlatObject::parse(std::string_view line) {
  size_ = 0;
  // To nlohmann's parser a NUL is the end, whatever follows.
  if (const std::size_t nul = line.find('\0'); nul != std::string_view::npos) {
    refuse("not JSON, from byte " + std::to_string(nul + 1) + " on");
  }
  Reader reader(*this);
  if (!json::sax_parse(line.begin(), line.end(), &reader)) refuse(reader.reason());
}

bool FlatObject::has(std::string_view name) const {
  for (std::size_t i = 0; i < size_; ++i) {
    if (fields_[i].name == name) return true;
  }
  return false;
}

FlatObject::Field& FlatObject::take(std::string_view name) {
  for (std::size_t i = 0; i < size_; ++i) {
    if (fields_[i].name != name) continue;
    fields_[i].taken = true;
    return fields_[i];
  }
  refuse_field(name, "is missing");
}

std::string_view FlatObject::take_text(std::string_view name) {
  const Field& field = take(name);
  if (field.kind != Kind::text) refuse_field(name, "is not a word");
  return field.text;
}

bool FlatObject::take_bool(std::string_view name) {
  const Field& field = take(name);
  if (field.kind != Kind::truth) refuse_field(name, "is neither true nor false");
  return field.number != 0;
}

std::uint64_t FlatObject::take_unsigned(std::string_view name, std::uint64_t most) {
  const Field& field = take(name);
  if (field.kind == Kind::negative || field.kind == Kind::too_big ||
      (field.kind == Kind::whole && field.number > most)) {
    refuse_field(name, "is out of range");
  }
  if (field.kind != Kind::whole) refuse_field(name, "is not a whole number");
  return field.number;
}

std::int64_t FlatObject::take_signed(std::string_view name) {
  const Field& field = take(name);
  if (field.kind == Kind::negative) return static_cast<std::int64_t>(field.number);
  return static_cast<std::int64_t>(
      take_unsigned(name, std::uint64_t{std::numeric_limits<std::int64_t>::max()}));
}

void FlatObject::expect_nothing_left() const {
  for (std::size_t i = 0; i < size_; ++i) {
    if (!fields_[i].taken) refuse_field(fields_[i].name, "is unknown here");
  }
}

}  // namespace greetlab
