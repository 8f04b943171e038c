// The functions of the module for traces: what scheduler.tracing is made of.
#pragma once

#include "binding/module/module.h"

namespace scheduler::binding {

// trace_mark(name): bool
PyObject* trace_mark(ModuleState& state, PyObject* name);
// _trace_to_file(descriptor, max_bytes): the descriptor, open for appending, belongs to the trace.
PyObject* trace_to_file(PyObject* module, PyObject* const* args, Py_ssize_t count);
// _trace_in_memory(bytes_per_thread)
PyObject* trace_in_memory(ModuleState& state, PyObject* bytes_per_thread);
// _trace_stop(): None if there is no trace; else the errno of a write to the file that has failed, or 0.
PyObject* trace_stop(ModuleState& state);
// _trace_forget(): in a child of fork().
PyObject* trace_forget(ModuleState& state);
// _trace_copy(): bytes, of a flight recorder; else None.
PyObject* trace_copy(ModuleState& state);
// _trace_clock(): the time as both clocks show it, (ticks, nanoseconds).
PyObject* trace_clock(ModuleState& state);
// _trace_on_failure(callable or None)
PyObject* trace_on_failure(ModuleState& state, PyObject* function);

}  // namespace scheduler::binding
