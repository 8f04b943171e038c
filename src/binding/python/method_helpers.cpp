#include "binding/python/method_helpers.h"

#include <climits>

namespace scheduler::binding {

bool check_count(const char* name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most) {
    if (given >= least && given <= most) return true;
    if (most == 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes no arguments (%zd given)", name, given);
    } else if (least == most) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly %zd argument%s (%zd given)", name, most,
                     most == 1 ? "" : "s", given);
    } else {
        PyErr_Format(PyExc_TypeError, "%s() takes from %zd to %zd arguments (%zd given)", name,
                     least, most, given);
    }
    return false;
}

namespace {

// An attribute of a type, if it is a str: CPython's own look-up, without code of a metaclass.
PyRef type_text(PyTypeObject* type, const char* attribute) {
    PyRef name = PyRef::steal(PyUnicode_FromString(attribute));
    if (!name) return {};
    PyRef text =
        PyRef::steal(PyType_Type.tp_getattro(reinterpret_cast<PyObject*>(type), name.get()));
    if (text && PyUnicode_Check(text.get())) return text;
    PyErr_Clear();
    return PyRef::steal(PyUnicode_FromString("?"));
}

}  // namespace

PyRef full_type_name(PyObject* self) {
    PyRef module = type_text(Py_TYPE(self), "__module__");
    if (!module) return {};
    PyRef name = type_text(Py_TYPE(self), "__qualname__");
    if (!name) return {};
    return PyRef::steal(PyUnicode_FromFormat("%U.%U", module.get(), name.get()));
}

int int_argument(PyObject* argument) {
    const long value = PyLong_AsLong(argument);
    if (value == -1 && PyErr_Occurred() != nullptr) return -1;
    if (value < INT_MIN || value > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "the int is too large for a C int");
        return -1;
    }
    return static_cast<int>(value);
}

}  // namespace scheduler::binding
