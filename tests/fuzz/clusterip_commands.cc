// Any line on the proxy's standard input: endpoints, or a sentence that says what is wrong.
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "check.h"
#include "clusterip/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace greetlab;
  try {
    const auto endpoints = parse_command(std::string(reinterpret_cast<const char*>(data), size));
    if (!endpoints) return 0;
    for (const Address& endpoint : *endpoints)
      CHECK(parse_address(to_string(endpoint)) == endpoint);
  } catch (const std::invalid_argument& error) {
    CHECK(*error.what() != '\0');
  }
  return 0;
}
