// EndpointSlices as the Kubernetes API writes them (discovery.k8s.io/v1), read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/endpoint_slice.h"
#include "kube/kube_service.h"

namespace greetlab {

/// A slice at the port that is wanted.
struct SliceAtPort {
  EndpointSlice slice;
  bool has_port = false;  ///< If not, its endpoints are none.
  std::string ports;      ///< Those that it has: "grpc (50051), metrics (9090)".
};

/// An EndpointSliceList.
struct SliceList {
  std::vector<SliceAtPort> slices;
  std::string version;  ///< `metadata.resourceVersion`: what a watch goes on from.
};

/// An event of a watch.
struct SliceNews {
  enum class Kind { changed, deleted, bookmark, error };

  Kind kind = Kind::bookmark;
  SliceAtPort slice;    ///< Of one that is new, has changed, or is gone.
  std::string version;  ///< What has been heard once this has.
  int code = 0;         ///< Of an error: 410, say.
  std::string message;  ///< Of an error.
};

/// Each reads the text of one JSON object. Conditions that are not there are what the API's own
/// comments say: ready, serving if it is ready, not terminating. Slices of names (addressType FQDN)
/// are left out, and so is each address that is none.
///
/// @param why what is wrong with the text, where there is nothing.
std::optional<SliceList> read_slice_list(std::string_view text, const KubePort& port,
                                         std::string& why);
std::optional<SliceNews> read_slice_news(std::string_view text, const KubePort& port,
                                         std::string& why);

/// The `message` of a Status, which an API server answers with where it refuses; else as much of
/// the text as can be shown.
std::string status_message(std::string_view text);

}  // namespace greetlab
