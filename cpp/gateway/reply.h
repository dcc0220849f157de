// What the gateway answers, before it is HTTP on a wire.
#pragma once

#include <string>

namespace greetlab {

struct Reply {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  std::string allow{};  ///< With 405: the methods that there are (RFC 9110 10.2.1).
  bool retry = false;   ///< With 503: it may be better soon (RFC 9110 10.2.3).
};

}  // namespace greetlab
