// The functions by which a program's own loop hosts the calling thread's manager.
#pragma once

#include "binding/module/module.h"

namespace scheduler::binding {

// As PyMethodDef's functions: a new reference, or nullptr with an error set.

PyObject* next_deadline(ModuleState& state);
PyObject* set_waker_function(ModuleState& state, PyObject* waker);
PyObject* forbid_main_waits(ModuleState& state, PyObject* message);
PyObject* pump_function(PyObject* module, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords);

}  // namespace scheduler::binding
