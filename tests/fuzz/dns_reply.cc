// Any bytes as a DNS reply: a message or nothing, and what a message says can be used.
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "check.h"
#include "dns/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace greetlab;
  const auto message = read_message({data, size});
  if (!message) return 0;
  for (const Record& record : message->answers) {
    CHECK(!record_type_name(record.type).empty());
    CHECK(record.srv.has_value() == (record.type == 33));
  }
  for (const auto type : std::initializer_list<std::uint16_t>{1, 28, 33, 5}) {
    for (const Record* found : follow_cnames(message->answers, message->question_name, type)) {
      CHECK(found->type == type);
    }
  }
  CHECK(!rcode_name(message->rcode).empty());
  return 0;
}
