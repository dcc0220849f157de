// What WebAssembly's C++ runtime lacks as Zig has it: memory that ends with an exception in place
// of a trap, and nobody to talk to. Compiled by build.py only.
#include <cstdint>
#include <cstdlib>
#include <new>

// LLVM's tag of C++ exceptions: what is thrown is a pointer.
__asm__(".globl __cpp_exception\n.tagtype __cpp_exception i32\n__cpp_exception:\n");

void* operator new(std::size_t size) {
  if (void* const memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

// wasi-libc's printf can write to a file, and snprintf is made of the same parts. There is no file:
// so the page need not bring a system along, but for fd_close, which Zig's own part of the library
// imports itself.
extern "C" {
constexpr std::int32_t kBadFile = 8;  // EBADF, as WASI counts

std::int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(std::int32_t, std::int32_t) {
  return kBadFile;
}
std::int32_t __imported_wasi_snapshot_preview1_fd_seek(std::int32_t, std::int64_t, std::int32_t,
                                                       std::int32_t) {
  return kBadFile;
}
std::int32_t __imported_wasi_snapshot_preview1_fd_write(std::int32_t, std::int32_t, std::int32_t,
                                                        std::int32_t) {
  return kBadFile;
}
}
