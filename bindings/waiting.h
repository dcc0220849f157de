// How C++ waits on behalf of Python: without the GIL, and with an ear for Ctrl-C.
#pragma once

#include <pybind11/pybind11.h>

namespace greetlab {

/// True once a signal handler of Python's has raised (KeyboardInterrupt). To be called now and then
/// by a wait that has released the GIL; who waited then throws `pybind11::error_already_set`.
inline bool signalled() {
  const pybind11::gil_scoped_acquire gil;
  return PyErr_CheckSignals() != 0;
}

}  // namespace greetlab
