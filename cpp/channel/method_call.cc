#include "channel/method_call.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/printable.h"

namespace greetlab {
namespace {

bool is_printable(std::string_view value) {
  return std::ranges::all_of(value, [](char letter) { return letter >= 0x20 && letter <= 0x7e; });
}

}  // namespace

MethodRequest sendable(MethodRequest request) {
  const std::string& path = request.path;
  if (!path.starts_with('/') || !is_printable(path) || std::ranges::count(path, '/') != 2) {
    throw std::invalid_argument("method '" + printable(path) +
                                "': expected /package.Service/Method");
  }
  request.metadata = sendable(std::move(request.metadata));
  return request;
}

}  // namespace greetlab
