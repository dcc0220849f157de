// Any body of POST /greet: a greeting with both names, or a refusal in one sentence.
#include <cstddef>
#include <cstdint>
#include <string>

#include "check.h"
#include "gateway/rest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace greetlab;
  const std::string body(reinterpret_cast<const char*>(data), size);
  (void)wants_json(body);
  try {
    const greet::GreetingRequest request = read_greeting("application/json", body);
    CHECK(!request.greeting().first_name().empty() && !request.greeting().last_name().empty());
  } catch (const Refusal& refusal) {
    CHECK(refusal.status == 400);
    CHECK(std::string(refusal.what()).ends_with(")."));
    CHECK(reply_to(refusal, true).body.starts_with("{\"error\":"));
  }
  return 0;
}
