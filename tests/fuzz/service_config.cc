// Any bytes as a service config, and as DNS has one: a config, or a sentence for what is wrong.
#include "config/service_config.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "check.h"
#include "config/txt_config.h"
#include "core/printable.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace greetlab;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const ReadServiceConfig read = read_service_config(text);
  CHECK((read.config == nullptr) == !read.errors.empty());
  for (const auto& remarks : {read.errors, read.warnings, read.elsewhere}) {
    for (const Remark& remark : remarks) {
      CHECK(!remark.sentence.empty());
      CHECK(printable(to_string(remark)) == to_string(remark));
    }
  }
  if (read.config != nullptr) {  // what is kept of it is read the same
    const ReadServiceConfig again = read_service_config(read.config->text);
    CHECK(again.config != nullptr && again.config->text == read.config->text);
    CHECK(again.config->methods.size() == read.config->methods.size());
    CHECK(choose_config({to_txt(*read.config)}, {}).config != nullptr);
  }
  const TxtConfig chosen = choose_config({"grpc_config=" + text}, {});
  CHECK(chosen.config == nullptr || chosen.status.ok());
  return 0;
}
