// What Python can do to any object and pybind11 leaves open: to make one by `__new__` alone, which
// has nothing in it, and whose methods then read what is not there; to have one made so by copying
// or unpickling; to inherit from the class, which does the same where `__init__` is not called.
#include "bindings.h"

namespace py = pybind11;

namespace greetlab {

void seal(py::module_& module) {
  const py::cpp_function no_new(
      [](const py::object& type, const py::args&, const py::kwargs&) {
        throw py::type_error(py::str(type).cast<std::string>() +
                             ".__new__: an object is made by calling its class, or by the core");
      },
      py::name("__new__"));
  for (const auto& [name, member] : module.attr("__dict__").cast<py::dict>()) {
    if (!py::isinstance<py::type>(member)) continue;
    auto* const type = reinterpret_cast<PyTypeObject*>(member.ptr());
    // Into the dict, past the slot: calling the class goes by the slot, and still works.
    const py::staticmethod refuses(no_new);
    if (PyDict_SetItemString(type->tp_dict, "__new__", refuses.ptr()) != 0) {
      throw py::error_already_set();
    }
    type->tp_flags &= ~Py_TPFLAGS_BASETYPE;
    PyType_Modified(type);
    const auto what = name.cast<std::string>();
    for (const char* how : {"__reduce_ex__", "__reduce__"}) {
      member.attr(how) = py::cpp_function(
          [what](const py::object&, const py::args&) -> py::object {
            throw py::type_error("a " + what + " of the core is neither copied nor pickled");
          },
          py::name(how), py::is_method(member));
    }
  }
}

}  // namespace greetlab
