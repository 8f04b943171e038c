#include "binding/scheduling/survivors.h"

#include "binding/interp/visibility.h"

namespace scheduler::binding {

namespace {

// CPython calls what is in gc.callbacks before and after each collection with (phase, info).
PyObject* release_survivors(PyObject* held, PyObject* arguments) {
    const Py_ssize_t count = PyList_GET_SIZE(held);
    if (count == 0 || PyTuple_GET_SIZE(arguments) == 0) Py_RETURN_NONE;
    PyObject* const phase = PyTuple_GET_ITEM(arguments, 0);
    if (!PyUnicode_Check(phase) || PyUnicode_CompareWithASCIIString(phase, "stop") != 0)
        Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < count; ++i) allow_finalizing_again(PyList_GET_ITEM(held, i));
    if (PyList_SetSlice(held, 0, count, nullptr) < 0) return nullptr;
    Py_RETURN_NONE;
}
PyMethodDef release_method = {"_release_survivors", release_survivors, METH_VARARGS, nullptr};

// A program may have taken it out again. Runs no Python code, which comparing with `==` would.
bool is_called_after_collections(PyObject* callbacks, PyObject* callback) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks); ++i) {
        if (PyList_GET_ITEM(callbacks, i) == callback) return true;
    }
    return PyList_Append(callbacks, callback) == 0;
}

}  // namespace

bool Survivors::prepare() {
    const PyRef gc = PyRef::steal(PyImport_ImportModule("gc"));
    if (!gc) return false;
    held_.reset(PyList_New(0));
    callbacks_.reset(PyObject_GetAttrString(gc.get(), "callbacks"));
    if (!held_ || !callbacks_) return false;
    release_.reset(PyCFunction_New(&release_method, held_.get()));
    return static_cast<bool>(release_);
}

// Without memory it is not finalised again, and stays for as long as it waits.
void Survivors::hold(PyObject* object) {
    const ErrorStash stash;
    if (!PyList_Check(callbacks_.get()) ||
        !is_called_after_collections(callbacks_.get(), release_.get()) ||
        PyList_Append(held_.get(), object) < 0) {
        PyErr_Clear();
    }
}

void Survivors::add_running_generators(PyThreadState* thread) {
    if constexpr (kSeesWholeFrames) {
        const auto add_one = [](PyObject* generator, void* survivors) {
            static_cast<Survivors*>(survivors)->add(generator);
            return 0;
        };
        visit_generators_being_collected(thread, add_one, this);
    }
}

}  // namespace scheduler::binding
