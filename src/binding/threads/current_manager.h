// The calling thread's schedule manager: found, and made on demand.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// The manager that this OS thread used last. It may belong to another interpreter, or to another
// Python thread state of this OS thread: every use compares.
extern constinit thread_local ManagerBody* last_manager [[gnu::tls_model("initial-exec")]];

// Is that the calling thread's manager? By its `tls_slot`, or by its `open_tls_slot`, which is empty while it has
// something to look at.
SCHED_ALWAYS_INLINE bool is_of_this_thread(const ManagerBody& manager,
                                           ManagerBody** ManagerBody::* slot) {
    return manager.*slot == &last_manager && is_current(manager.thread_state);
}

// The calling thread's manager if it is the one used last, and has nothing to look at; nullptr else.
SCHED_ALWAYS_INLINE ManagerBody* last_manager_if_right(const ModuleState& state) {
    ManagerBody* const manager = last_manager;
    const bool is_right = manager != nullptr && &manager->state == &state &&
                          is_of_this_thread(*manager, &ManagerBody::open_tls_slot);
    return is_right ? manager : nullptr;
}
// The same by the module object, without asking CPython for its state.
SCHED_ALWAYS_INLINE ManagerBody* last_manager_if_right(PyObject* module) {
    ManagerBody* const manager = last_manager;
    const bool is_right = manager != nullptr && manager->state.module == module &&
                          is_of_this_thread(*manager, &ManagerBody::open_tls_slot);
    return is_right ? manager : nullptr;
}

// The calling thread's manager, made on demand; nullptr with an error set.
ManagerBody* find_or_make_manager(ModuleState& state);
inline ManagerBody* manager_of_this_thread(ModuleState& state) {
    ManagerBody* manager = last_manager_if_right(state);
    return manager != nullptr ? manager : find_or_make_manager(state);
}
// The same without making one, and without an error.
ManagerBody* existing_manager_of_this_thread(ModuleState& state);

// Ends the calling thread's manager if its main tasklet is current: unwinds every live tasklet. May
// run Python.
void finish_manager_of_this_thread(ModuleState& state);

}  // namespace scheduler::binding
