// nghttp2's memory, out of a resource of ours.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory_resource>

namespace greetlab {

/// For `nghttp2_session_client_new3`, which copies it: a stream takes four small pieces of memory
/// and soon gives them back, which a pool does at less cost than malloc.
/// @param memory outlives the session.
nghttp2_mem session_memory(std::pmr::memory_resource& memory);

}  // namespace greetlab
