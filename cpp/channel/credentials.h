// What a channel's TLS is made with: the contents of the files that its options name.
#pragma once

#include <string>

#include "lb/channel_options.h"

namespace greetlab {

/// PEM, as the files have it; empty where an option names none.
struct Credentials {
  std::string ca;    ///< Whom to trust; empty: whom the system trusts.
  std::string cert;  ///< What to show a server that asks, and the chain to its authority.
  std::string key;   ///< Of the certificate.
};

/// Reads them.
/// @throws std::invalid_argument for a file that cannot be read, for options of TLS without `tls`,
/// and for a certificate without its key.
Credentials read_credentials(const TlsOptions& options);

}  // namespace greetlab
