// A tasklet and its place in the runnables queue.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

bool insert(TaskletBody& tasklet);
bool remove(TaskletBody& tasklet);
bool run(TaskletBody& tasklet);
bool resume(TaskletBody& tasklet);
bool switch_to_tasklet(TaskletBody& tasklet);

}  // namespace scheduler::binding
