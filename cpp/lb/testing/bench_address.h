// Addresses as a story about policies has them: "a", "b", "c".
#pragma once

#include <string>
#include <vector>

#include "core/address.h"
#include "lb/endpoint.h"

namespace greetlab {

/// @param text "10.244.0.3:50051", or any short name without a colon, such as "a": port 1 of it.
/// @throws std::invalid_argument where it is neither.
Address bench_address(const std::string& text);

/// @param text "a", or of an endpoint that has several addresses "a+b".
Endpoint bench_endpoint(const std::string& text);

/// The address as it was given to `bench_address`.
std::string bench_name(const Address& address);

/// "a, b, 10.244.0.3:50051"
std::string bench_names(const std::vector<Address>& addresses);

}  // namespace greetlab
