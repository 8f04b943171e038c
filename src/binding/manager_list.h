// The schedule managers that have not ended, of all threads and all module objects of the process.
#pragma once

#include "manager_body.h"

namespace scheduler::binding {

void list_manager(ManagerBody& manager);
void unlist_manager(ManagerBody& manager);

// The calling Python thread's manager in that module object, or nullptr. The thread's dictionary
// tells so faster; this is for a thread that has none.
ManagerBody* listed_manager_of_this_thread(const State& state);
// A manager of the calling thread, in whatever module object, with its main tasklet current; or
// nullptr.
ManagerBody* idle_manager_of_this_thread();

}  // namespace scheduler::binding
