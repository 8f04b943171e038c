// The first step of every operation: the calling thread's manager.
#pragma once

#include "binding/threads/current_manager.h"

namespace scheduler::binding {

// The calling thread's manager with its mail read: the first step of every operation that looks at or
// changes a queue. nullptr with an error set. May run Python.
SCHED_ALWAYS_INLINE ManagerBody* enter(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    return manager == nullptr || !manager->has_mail() ? manager : manager->catch_up_with_mail();
}

// The same for one that may give control away, which first raises what the current tasklet holds back.
// No manager that has something to look at is found by the short way. `where`: see is_of().
[[gnu::noinline]] ManagerBody* enter_carefully(ModuleState& state);
[[gnu::noinline]] ManagerBody* enter_carefully(PyObject* module);
template <typename Where>
SCHED_ALWAYS_INLINE ManagerBody* enter_to_switch(Where&& where) {
    ManagerBody* manager = last_manager_if_right(where);
    if (manager == nullptr) return enter_carefully(where);
    return !manager->has_mail() ? manager : manager->catch_up_with_mail();
}

}  // namespace scheduler::binding
