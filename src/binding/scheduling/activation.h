// The life of one activation on its own stack: calling the target, and what becomes of its result.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Runs the current tasklet's target. TaskletExit ends it silently; with dont_raise, other exceptions
// are contained. Returns the exception that goes to the driver (a new reference), or nullptr. Runs
// Python, and is away whenever the tasklet is suspended.
PyObject* run_activation(ManagerBody& manager, TaskletBody& tasklet);

}  // namespace scheduler::binding
