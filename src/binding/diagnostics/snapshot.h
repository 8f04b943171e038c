// All tasklets of a module object, of every thread, as they are at this moment.
#pragma once

#include <vector>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

enum class Which : unsigned char { kAlive, kBlocked };

// The calling thread's first; of each thread its main tasklet, then the oldest activation first. Waits
// for nobody, and runs no Python, unless other threads drop the last other reference to what is found.
// std::bad_alloc without memory.
std::vector<PyRef> find_tasklets(ModuleState& state, Which which);

// A list of (tasklet, what it waits for in words or None) of all that are
// alive: a new reference, or nullptr with an error set.
PyObject* list_tasklets(ModuleState& state);

// A list of these alone.
PyObject* list_tasklets_only(ModuleState& state);

// Raises "Deadlock" with a list of the tasklets that wait. `message` (borrowed) instead of the usual
// words, if not nullptr. Runs no code of the program.
void refuse_deadlock(ManagerBody& manager, PyObject* message = nullptr);

}  // namespace scheduler::binding
