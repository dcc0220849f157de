// Calls to make, as Python asks for them.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"
#include "core/metadata.h"
#include "load/load.h"
#include "options.h"

namespace greetlab {

/// Metadata in Python: values are bytes there.
using BytesMetadata = std::vector<std::pair<std::string, pybind11::bytes>>;

inline Metadata metadata_of(const BytesMetadata& given) {
  Metadata metadata;
  for (const auto& [name, value] : given) metadata.emplace_back(name, value);
  return metadata;
}

/// @throws std::invalid_argument for metadata that cannot be sent.
inline LoadConfig load_config(std::size_t calls, std::size_t concurrency,
                              const pybind11::object& interval, double timeout, bool wait_for_ready,
                              const BytesMetadata& metadata, std::string key_header,
                              std::size_t keys, std::uint64_t seed = 0) {
  LoadConfig config{calls,          concurrency, distribution(interval), seconds(timeout),
                    wait_for_ready, seed};
  config.metadata = metadata_of(metadata);
  Metadata all = config.metadata;
  if (keys > 0) all.emplace_back(key_header, "");
  sendable(std::move(all));
  config.key_header = std::move(key_header);
  config.keys = keys;
  return config;
}

}  // namespace greetlab
