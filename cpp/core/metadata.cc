#include "core/metadata.h"

#include <algorithm>
#include <string_view>

#include "core/base64.h"
#include "core/misuse.h"
#include "core/printable.h"

namespace greetlab {
namespace {

// As many as there is room for beside gRPC's own (`Http2Session::submit`).
constexpr std::size_t kMost = 8;

bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
           letter == '_' || letter == '.';
  });
}

bool is_printable(std::string_view value) {
  return std::ranges::all_of(value, [](char letter) { return letter >= 0x20 && letter <= 0x7e; });
}

}  // namespace

Metadata sendable(Metadata metadata) {
  if (metadata.size() > kMost) {
    misuse({"metadata: more than ", std::to_string(kMost)});
  }
  for (const auto& [name, value] : metadata) {
    if (!is_name(name) || name.starts_with("grpc-")) {
      misuse({"metadata '", printable(name),
              "': a name is of a to z, 0 to 9, '-', '_' and '.', and does not "
              "begin with grpc-, which is gRPC's own"});
    }
    if (!name.ends_with("-bin") && !is_printable(value)) {
      misuse({"metadata '", name,
              "': its value is not printable ASCII; bytes need a name that "
              "ends with -bin"});
    }
  }
  return metadata;
}

Metadata on_the_wire(Metadata metadata) {
  for (auto& [name, value] : metadata) {
    if (name.ends_with("-bin")) value = base64(value);
  }
  return metadata;
}

}  // namespace greetlab
