#include "channel/credentials.h"

#include <stdexcept>

#include "core/text_file.h"

namespace greetlab {
namespace {

std::string contents(const char* option, const std::string& path) {
  if (path.empty()) return {};
  try {
    return read_text_file(path);
  } catch (const std::runtime_error& error) {
    throw std::invalid_argument(std::string(option) + ": " + error.what());
  }
}

}  // namespace

Credentials read_credentials(const TlsOptions& options) {
  if (!options.on) {
    const auto refuse = [](const char* option, const std::string& value) {
      if (value.empty()) return;
      throw std::invalid_argument(std::string(option) + ": of TLS, which is off; turn tls on");
    };
    refuse("ca", options.ca);
    refuse("cert", options.cert);
    refuse("key", options.key);
    refuse("server_name", options.server_name);
  }
  if (options.cert.empty() != options.key.empty()) {
    throw std::invalid_argument("cert and key: a certificate and its key go together");
  }
  return {contents("ca", options.ca), contents("cert", options.cert), contents("key", options.key)};
}

}  // namespace greetlab
