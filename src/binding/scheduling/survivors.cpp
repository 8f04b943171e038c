#include "binding/scheduling/survivors.h"

#include "binding/interp/visibility.h"
#include "binding/module/module.h"

namespace scheduler::binding {

namespace {

// In gc.callbacks, which CPython calls before and after each collection with (phase, info).
PyObject* release_survivors(PyObject* survivors, PyObject* arguments) {
    const Py_ssize_t count = PyList_GET_SIZE(survivors);
    if (count == 0 || PyTuple_GET_SIZE(arguments) == 0) Py_RETURN_NONE;
    PyObject* const phase = PyTuple_GET_ITEM(arguments, 0);
    if (!PyUnicode_Check(phase) || PyUnicode_CompareWithASCIIString(phase, "stop") != 0)
        Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < count; ++i) allow_finalizing_again(PyList_GET_ITEM(survivors, i));
    if (PyList_SetSlice(survivors, 0, count, nullptr) < 0) return nullptr;
    Py_RETURN_NONE;
}
PyMethodDef release_survivors_method = {"_release_survivors", release_survivors, METH_VARARGS,
                                        nullptr};

// It is put into the list when it is needed; a program may have taken it out again. Runs no Python code,
// which comparing with `==` would.
bool is_called_after_collections(PyObject* callbacks, PyObject* callback) {
    if (!PyList_Check(callbacks)) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(callbacks); ++i) {
        if (PyList_GET_ITEM(callbacks, i) == callback) return true;
    }
    return PyList_Append(callbacks, callback) == 0;
}

}  // namespace

bool prepare_for_survivors(ModuleState& state) {
    const PyRef gc = PyRef::steal(PyImport_ImportModule("gc"));
    state.survivors = PyList_New(0);
    if (!gc || state.survivors == nullptr) return false;
    state.collector_callbacks = PyObject_GetAttrString(gc.get(), "callbacks");
    state.release_survivors = PyCFunction_New(&release_survivors_method, state.survivors);
    return state.collector_callbacks != nullptr && state.release_survivors != nullptr;
}

void hold_until_collection_ends(ModuleState& state, PyObject* object) {
    const ErrorStash stash;
    if (!is_called_after_collections(state.collector_callbacks, state.release_survivors) ||
        PyList_Append(state.survivors, object) < 0) {
        PyErr_Clear();
    }
}

void keep_running_generators(ModuleState& state, PyThreadState* thread) {
    if constexpr (kSeesWholeFrames) {
        const auto keep = [](PyObject* generator, void* owner) {
            survive(*static_cast<ModuleState*>(owner), generator);
            return 0;
        };
        visit_generators_being_collected(thread, keep, &state);
    }
}

}  // namespace scheduler::binding
