// What greet-client --serve is asked to do: a line of JSON each.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "channel/greet_load.h"
#include "core/endpoint_slice.h"
#include "core/lookup.h"
#include "lb/channel_options.h"

namespace greetlab {

/// A command's fields, taken one by one, and notice of what nobody asked for.
///
/// Everything throws std::invalid_argument with the reason, such as `field "channel" is missing`.
class Fields {
 public:
  /// @param line a JSON object.
  explicit Fields(std::string_view line);
  explicit Fields(nlohmann::json object);

  bool has(const char* name) const { return object_.contains(name); }

  std::string take_text(const char* name);
  bool take_bool(const char* name);
  std::uint64_t take_unsigned(const char* name);
  /// Of a number of seconds.
  Duration take_seconds(const char* name);
  /// Anything.
  nlohmann::json take(const char* name);

  /// A field of whichever type an option has.
  template <class Value>
  void take_to(const char* name, Value& value) {
    if constexpr (std::is_same_v<Value, Duration>) {
      value = take_seconds(name);
    } else if constexpr (std::is_same_v<Value, bool>) {
      value = take_bool(name);
    } else if constexpr (std::is_same_v<Value, std::string>) {
      value = take_text(name);
    } else {
      value = take_unsigned(name);
    }
  }

  void expect_nothing_left() const;

 private:
  nlohmann::json object_;
};

// Each takes all of its command's own fields.

/// "channel", "target", "policy" (a name, or an entry of a service config's loadBalancingConfig),
/// "service_config" (its text) and "options" (`ChannelOptions::each`; those that are not there have
/// their defaults).
/// @throws std::invalid_argument for what makes no sense.
ChannelOptions read_channel_options(Fields& fields);

/// Those of `GreetLoad` and `LoadConfig`; values of metadata are in base64.
/// @throws std::invalid_argument for what makes no sense, or cannot be sent.
GreetLoad read_load(Fields& fields);

/// "types": words.
std::vector<RecordType> read_types(Fields& fields);

/// "addresses": with ports.
std::vector<Address> read_addresses(Fields& fields);

/// "endpoints": each with its pod, its address and its conditions.
std::vector<SliceEndpoint> read_endpoints(Fields& fields);

}  // namespace greetlab
