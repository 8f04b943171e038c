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
// Queues a tasklet of the calling thread's manager with an exception for its next turn.
void make_pending(ManagerBody& manager, TaskletBody& tasklet, PyRef error, bool kill);

// A new TaskletExit; empty with an error set.
PyRef make_exit(const ModuleState& state);
// A tasklet of this thread leaves the wait queue of its channel, with the wait queue's reference for
// the caller. Empty: it does not wait. What it had to send is dropped later (defer_decref()); the empty
// envelope tells the sender that nobody took it.
PyRef interrupt_wait(ManagerBody& manager, TaskletBody& tasklet);

}  // namespace scheduler::binding
