// Exceptions that one tasklet raises in another.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

bool kill(TaskletBody& tasklet, bool pending);
// `error` (stolen) is raised in the tasklet.
bool throw_at(TaskletBody& tasklet, PyObject* error, bool pending);

// A new TaskletExit; empty with an error set.
PyRef make_exit(const ModuleState& state);

}  // namespace scheduler::binding
