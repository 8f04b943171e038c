// The calling thread's schedule manager: found, and made on demand.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// The manager that this OS thread used last. It may belong to another interpreter, or to another
// Python thread state of this OS thread: every use compares.
extern constinit thread_local ManagerBody* last_manager [[gnu::tls_model("initial-exec")]];

// By the module's state, or by the module object, which need not be asked for its state then.
inline bool is_of(const ManagerBody& manager, const ModuleState& state) {
    return &manager.state == &state;
}
inline bool is_of(const ManagerBody& manager, PyObject* module) {
    return manager.state.module == module;
}

// The calling thread's manager if it is the one used last. By its `tls_slot`, or by its `open_tls_slot`, which is
// empty while it has something to look at; nullptr else. `where`: see is_of().
template <typename Where>
SCHED_ALWAYS_INLINE ManagerBody* last_manager_by(ManagerBody** ManagerBody::* slot, Where&& where) {
    ManagerBody* const manager = last_manager;
    const bool is_right = manager != nullptr && is_of(*manager, where) &&
                          manager->*slot == &last_manager && is_current(manager->thread_state);
    return is_right ? manager : nullptr;
}
template <typename Where>
SCHED_ALWAYS_INLINE ManagerBody* last_manager_if_right(Where&& where) {
    return last_manager_by(&ManagerBody::open_tls_slot, where);
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
