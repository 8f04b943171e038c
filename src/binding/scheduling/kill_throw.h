// Exceptions that one tasklet raises in another.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// When the exception is raised, and who runs then.
enum class Delivery : unsigned char {
    kNow,  // at once: the tasklet is run, as by run(), and with it those behind it
    kAlone,  // at once, and nobody else has a turn
    kPending,  // when the tasklet has its next turn
};

bool kill(TaskletBody& tasklet, Delivery how);
// `error` (stolen) is raised in the tasklet.
bool throw_at(TaskletBody& tasklet, PyObject* error, Delivery how);

// A new TaskletExit; empty with an error set.
PyRef make_exit(const ModuleState& state);

}  // namespace scheduler::binding
