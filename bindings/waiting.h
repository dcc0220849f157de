// How C++ waits on behalf of Python: without the GIL, and with an ear for Ctrl-C.
#pragma once

#include <Python.h>

#include <cstddef>
#if defined(__GLIBC__) && defined(__GLIBCXX__)
#include <cxxabi.h>
#include <unistd.h>
#endif

namespace greetlab {

/// Does what takes the GIL. Where the interpreter has ended meanwhile, the thread stays here for
/// ever, as Python 3.14 lets it do by itself. Older ones end the thread by unwinding it (glibc:
/// elsewhere it just ends), which no destructor may be in the way of, and there always is one.
template <class Take>
auto take_gil(const Take& take) noexcept {
#if defined(__GLIBC__) && defined(__GLIBCXX__)
  try {
    return take();
  } catch (abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  return take();
#endif
}

/// The GIL is released for as long as this is here.
class Unlocked {
 public:
  Unlocked() : thread_(PyEval_SaveThread()) {}
  ~Unlocked() {
    take_gil([this] { PyEval_RestoreThread(thread_); });
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* const thread_;
};

/// True once a signal handler of Python's has raised (KeyboardInterrupt). To be called now and then
/// by a wait that has released the GIL; who waited then throws `pybind11::error_already_set`.
inline bool signalled() {
  const PyGILState_STATE state = take_gil([] { return PyGILState_Ensure(); });
  const bool raised = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return raised;
}

}  // namespace greetlab
