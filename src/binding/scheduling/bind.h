// Binding a callable and its arguments to a tasklet.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// `callable` may be nullptr (not given) or None (unbind, if neither args nor kwargs is given); `args`
// and `kwargs` nullptr: not given. Owner thread only.
bool bind(TaskletBody& tasklet, PyObject* callable, PyObject* args, PyObject* kwargs);
bool setup(TaskletBody& tasklet, PyObject* args, PyObject* kwargs);

}  // namespace scheduler::binding
