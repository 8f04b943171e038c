#include "binding/scheduling/survivors.h"

#include "binding/interp/visibility.h"

namespace scheduler::binding {

namespace {

// CPython calls what is in gc.callbacks before and after each collection with (phase, info).
PyObject* release_survivors(PyObject* held, PyObject* arguments) {
    if (PyList_GET_SIZE(held) == 0 || PyTuple_GET_SIZE(arguments) == 0) Py_RETURN_NONE;
    PyObject* const phase = PyTuple_GET_ITEM(arguments, 0);
    if (!PyUnicode_Check(phase) || PyUnicode_CompareWithASCIIString(phase, "stop") != 0)
        Py_RETURN_NONE;
    // Without the GIL others may append meanwhile.
    const PyRef released = PyRef::steal(PyList_GetSlice(held, 0, PY_SSIZE_T_MAX));
    if (!released) return nullptr;
    const Py_ssize_t count = PyList_GET_SIZE(released.get());
    if (PyList_SetSlice(held, 0, count, nullptr) < 0) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i)
        allow_finalizing_again(PyList_GET_ITEM(released.get(), i));
    Py_RETURN_NONE;
}
PyMethodDef release_method = {"_release_survivors", release_survivors, METH_VARARGS, nullptr};

// It is looked for anew each time, and not kept: a program may put anything there that refers to us, and its
// interpreter drops the list last of all. Runs no Python code, which comparing with `==` would.
bool is_called_after_collections(PyObject* callback) {
    const PyRef name = PyRef::steal(PyUnicode_FromString("gc"));
    const PyRef gc = PyRef::steal(name ? PyImport_GetModule(name.get()) : nullptr);
    const PyRef callbacks =
        PyRef::steal(gc ? PyObject_GetAttrString(gc.get(), "callbacks") : nullptr);
    if (!callbacks || !PyList_Check(callbacks.get())) return false;
    const PyRef present = PyRef::steal(PyList_AsTuple(callbacks.get()));
    if (!present) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(present.get()); ++i) {
        if (PyTuple_GET_ITEM(present.get(), i) == callback) return true;
    }
    return PyList_Append(callbacks.get(), callback) == 0;
}

}  // namespace

bool Survivors::prepare() {
    const PyRef gc = PyRef::steal(PyImport_ImportModule("gc"));
    held_.reset(PyList_New(0));
    if (!gc || !held_) return false;
    release_.reset(PyCFunction_New(&release_method, held_.get()));
    return static_cast<bool>(release_);
}

// A program that empties gc.callbacks has it held until the next one is. Without memory it lives for ever.
void Survivors::hold(PyObject* object) {
    const ErrorStash stash;
    if (is_called_after_collections(release_.get()) && PyList_Append(held_.get(), object) == 0)
        return;
    PyErr_Clear();
    Py_INCREF(object);
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
