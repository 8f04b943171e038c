// The end of a thread: what becomes of its schedule manager and its tasklets.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Is the state of the calling thread being deleted? It must not get a manager any more, which nobody
// would end.
bool is_thread_ending(PyThreadState* thread);

}  // namespace scheduler::binding
