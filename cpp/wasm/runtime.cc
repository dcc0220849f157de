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
