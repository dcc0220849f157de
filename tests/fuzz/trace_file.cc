// Any bytes as a trace file: refused with the line and the reason, or read, and then what is
// written of it is read as the same.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

#include "check.h"
#include "traceio/json_lines.h"

namespace {

using namespace greetlab;

std::string written(const LoadedTrace& trace) {
  std::ostringstream out;
  write_trace(out, trace.events, trace.symbols, trace.dropped, trace.world);
  return std::move(out).str();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  try {
    const std::string once = written(read_trace(in));
    std::istringstream again(once);
    CHECK(written(read_trace(again)) == once);
  } catch (const std::invalid_argument& error) {
    CHECK(std::string(error.what()).starts_with("line "));
  }
  return 0;
}
