#include "http2/session_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace greetlab {
namespace {

// C's free is not told the size, which a resource wants to know: it stands before each piece.
constexpr std::size_t kHead = alignof(std::max_align_t);
static_assert(kHead >= sizeof(std::size_t));

std::pmr::memory_resource& resource(void* memory) {
  return *static_cast<std::pmr::memory_resource*>(memory);
}

std::size_t& size_of(void* piece) {
  return *reinterpret_cast<std::size_t*>(static_cast<std::byte*>(piece) - kHead);
}

void* allocate(std::size_t size, void* memory) noexcept try {
  auto* const piece = static_cast<std::byte*>(resource(memory).allocate(kHead + size)) + kHead;
  size_of(piece) = size;
  return piece;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void free(void* piece, void* memory) {
  if (piece == nullptr) return;
  const std::size_t size = size_of(piece);
  resource(memory).deallocate(static_cast<std::byte*>(piece) - kHead, kHead + size);
}

void* allocate_zeros(std::size_t count, std::size_t size, void* memory) {
  void* const piece = allocate(count * size, memory);  // nghttp2's own counts: no overflow
  if (piece != nullptr) std::memset(piece, 0, count * size);
  return piece;
}

void* reallocate(void* piece, std::size_t size, void* memory) {
  void* const other = allocate(size, memory);
  if (piece == nullptr || other == nullptr) return other;
  std::memcpy(other, piece, std::min(size, size_of(piece)));
  free(piece, memory);
  return other;
}

}  // namespace

nghttp2_mem session_memory(std::pmr::memory_resource& memory) {
  return {&memory, allocate, free, allocate_zeros, reallocate};
}

}  // namespace greetlab
