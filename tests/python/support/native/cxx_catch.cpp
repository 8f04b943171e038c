// Test extension: Python code called from inside a C++ `catch` block that rethrows afterwards.
//
// The C++ runtime keeps the exceptions being handled in a per-thread structure. A tasklet that is
// suspended inside a `catch` must find its own exceptions there when it goes on.

#include <Python.h>

#include <exception>
#include <stdexcept>
#include <string>

namespace {

// Calls `callable()`; throws when it raised.
void call_python(PyObject* callable) {
    PyObject* result = PyObject_CallNoArgs(callable);
    if (result == nullptr) {
        throw std::logic_error("python error");
    }
    Py_DECREF(result);
}

// What the innermost exception being handled says about itself.
std::string current_message() {
    try {
        throw;
    } catch (const std::exception& error) {
        return error.what();
    }
}

// Throws `message`, calls Python in the handler, rethrows; returns what arrives outside.
std::string rethrow_after(const char* message, PyObject* callable) {
    try {
        try {
            throw std::runtime_error(message);
        } catch (const std::runtime_error&) {
            call_python(callable);
            throw;
        }
    } catch (const std::exception& error) {
        return error.what();
    }
}

// rethrow_after(message, callable) -> str
PyObject* py_rethrow_after(PyObject*, PyObject* args) {
    const char* message = nullptr;
    PyObject* callable = nullptr;
    if (!PyArg_ParseTuple(args, "sO", &message, &callable)) {
        return nullptr;
    }
    const std::string arrived = rethrow_after(message, callable);
    return PyErr_Occurred() ? nullptr : PyUnicode_FromString(arrived.c_str());
}

// nested(outer, inner, callable) -> (str, str): the messages seen inside and outside when Python is
// called while two exceptions are being handled.
PyObject* py_nested(PyObject*, PyObject* args) {
    const char *outer = nullptr, *inner = nullptr;
    PyObject* callable = nullptr;
    if (!PyArg_ParseTuple(args, "ssO", &outer, &inner, &callable)) {
        return nullptr;
    }
    std::string inside, outside;
    try {
        throw std::runtime_error(outer);
    } catch (const std::exception&) {
        inside = rethrow_after(inner, callable);
        outside = current_message();
    }
    if (PyErr_Occurred()) {
        return nullptr;
    }
    return Py_BuildValue("ss", inside.c_str(), outside.c_str());
}

// uncaught() -> int: number of exceptions in flight, as destructors see it during unwinding.
struct CallsPythonWhenUnwound {
    PyObject* callable;
    int& seen;
    ~CallsPythonWhenUnwound() {
        PyObject* result = PyObject_CallNoArgs(callable);
        if (result == nullptr) {
            PyErr_Clear();
        }
        Py_XDECREF(result);
        seen = std::uncaught_exceptions();
    }
};

// in_destructor(message, callable) -> (str, int): Python is called by a destructor while an
// exception is in flight.
PyObject* py_in_destructor(PyObject*, PyObject* args) {
    const char* message = nullptr;
    PyObject* callable = nullptr;
    if (!PyArg_ParseTuple(args, "sO", &message, &callable)) {
        return nullptr;
    }
    int seen = -1;
    std::string arrived;
    try {
        CallsPythonWhenUnwound guard{callable, seen};
        throw std::runtime_error(message);
    } catch (const std::exception& error) {
        arrived = error.what();
    }
    return Py_BuildValue("si", arrived.c_str(), seen);
}

PyMethodDef methods[] = {
    {"rethrow_after", py_rethrow_after, METH_VARARGS, nullptr},
    {"nested", py_nested, METH_VARARGS, nullptr},
    {"in_destructor", py_in_destructor, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "cxx_catch", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit_cxx_catch() { return PyModule_Create(&definition); }
