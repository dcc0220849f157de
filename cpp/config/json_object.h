// JSON objects, taken apart field by field, with a sentence for whatever is not as it should be.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/service_config.h"
#include "core/time.h"

namespace greetlab {

using Json = nlohmann::ordered_json;

struct Remarks {
  std::vector<Remark> errors;
  std::vector<Remark> warnings;
  std::vector<Remark> others;

  void error(std::string sentence, std::string stock = "");
  void warn(std::string sentence, std::string stock = "");
  void elsewhere(std::string sentence, std::string stock);
};

/// The text as JSON. What cannot be read, or holds a name twice, is an error in `remarks`.
/// @return nothing if it cannot be read.
std::optional<Json> parse_json(std::string_view text, Remarks& remarks);

/// A value in a few words: `"1s"`, `3`, "a list", "an object".
std::string in_words(const Json& value);

/// The fields of one object. A field that is null is not there (grpc-proto service_config.proto,
/// "value "", `null`, and not present are the same").
class JsonObject {
 public:
  /// @param value outlives it. path: where it stands, "methodConfig[0]"; empty: at the top.
  JsonObject(const Json& value, std::string path, Remarks& remarks)
      : value_(value), path_(std::move(path)), remarks_(remarks) {}

  /// @return nullptr if it is not there.
  const Json* find(std::string_view name);

  // Each is nothing, with an error, if the value is of another kind.
  std::optional<std::string> text(std::string_view name);
  std::optional<bool> truth(std::string_view name);
  std::optional<Duration> duration(std::string_view name);
  std::optional<double> number(std::string_view name);
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most);
  /// nullptr if it is not there, or is no list.
  const Json* list(std::string_view name);
  std::optional<JsonObject> object(std::string_view name);

  /// The same with an error if it is not there.
  void require(std::string_view name);

  /// Warns of every field that nobody asked for: it is ignored, as every gRPC does.
  void finish();

  std::string at(std::string_view name) const;
  Remarks& remarks() const { return remarks_; }

 private:
  std::optional<double> number_of(std::string_view name, const Json& value);

  const Json& value_;
  const std::string path_;
  Remarks& remarks_;
  std::vector<std::string> asked_;
};

/// @return the element as an object, or nothing, with an error.
std::optional<JsonObject> object_at(const Json& value, const std::string& path, Remarks& remarks);

/// "1.5s": protobuf's JSON for a duration, 0 or more, at most a hundred years.
std::optional<Duration> duration_of(std::string_view text);

}  // namespace greetlab
