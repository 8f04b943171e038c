// The type ScheduleManager, and the guard that ends a manager with its thread.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Lives in the dictionary of a Python thread state and dies with it, wherever references to the
// manager object may still be held.
struct ThreadGuard {
    PyObject ob_base;
    ManagerBody* body;  // nullptr when that has ended
    PyObject* manager_object;
};

struct ManagerObject {
    PyObject ob_base;
    ManagerBody* body;  // counted; nullptr only until it is made
    PyObject* weak_references;
};

extern PyType_Spec manager_type_spec;
extern PyType_Spec thread_guard_type_spec;

}  // namespace scheduler::binding
