// Owners of Python references.
//
// A plain PyObject* is borrowed. A PyRef owns one reference; it is made by steal() or share() and
// given away by release(). Nothing converts implicitly.
//
// PyRefs stand on stacks from which Python code is called. When a daemon thread is ended by the
// interpreter's finalisation, its stack is unwound *without the GIL*: such a destructor must touch
// nothing, and the reference is lost with the process.
#pragma once

#include <Python.h>

#include <utility>

#include "interp_state.h"

namespace scheduler::binding {

class PyRef {
  public:
    PyRef() = default;
    PyRef(PyRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    PyRef& operator=(PyRef&& other) {
        reset(std::exchange(other.object_, nullptr));
        return *this;
    }
    PyRef(const PyRef&) = delete;
    PyRef& operator=(const PyRef&) = delete;
    ~PyRef() {
        if (object_ != nullptr && holds_gil()) Py_DECREF(object_);
    }

    static PyRef steal(PyObject* object) { return PyRef(object); }
    static PyRef share(PyObject* object) {
        Py_XINCREF(object);
        return PyRef(object);
    }

    explicit operator bool() const { return object_ != nullptr; }
    PyObject* get() const { return object_; }
    [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
    // May run Python: drops the old reference, after the new one is in place.
    void reset(PyObject* stolen = nullptr) { Py_XDECREF(std::exchange(object_, stolen)); }

    // For tp_traverse.
    int visit(visitproc visitor, void* argument) const {
        return object_ != nullptr ? visitor(object_, argument) : 0;
    }

  private:
    explicit PyRef(PyObject* object) : object_(object) {}

    PyObject* object_ = nullptr;
};
static_assert(sizeof(PyRef) == sizeof(PyObject*));

// An optional object as Python sees it: a new reference to it, or to None.
inline PyObject* new_or_none(PyObject* object) {
    return Py_NewRef(object != nullptr ? object : Py_None);
}

}  // namespace scheduler::binding
