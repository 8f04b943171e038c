// The type scheduler.Tasklet.
#pragma once

#include "binding/python/method_helpers.h"
#include "binding/scheduling/tasklet_body.h"
#include "core/channel.h"

namespace scheduler::binding {

extern PyType_Spec tasklet_type_spec;
extern PyGetSetDef tasklet_attributes[];
extern PyMethodDef tasklet_methods[];
PyObject* tasklet_call(PyObject* self, PyObject* args, PyObject* kwargs);

// tasklet(callable=None) for the type itself; a class derived from it does not inherit this, and is
// called by way of tp_new and tp_init.
PyObject* tasklet_vectorcall(PyObject* type, PyObject* const* args, std::size_t flags_and_count,
                             PyObject* names);

// For tp_traverse of whatever a wait queue belongs to: those who wait in it, each of which it owns a
// reference to. Left out are those that somebody else may wake, or who could not be unwound in time.
int visit_wait_queue(const core::Channel& channel, visitproc visit, void* arg);

// Constructs the body of an object that tp_alloc has just made, and counts it.
void construct_body(ModuleState& state, PyObject* tasklet);

template <>
inline bool is_initialised<TaskletObject>(PyObject* self) {
    return body_of(self).manager != nullptr;
}

}  // namespace scheduler::binding
