// From one tasklet's stack to another's, with all that belongs to a stack. For switcher.cpp.
#pragma once

#include <utility>

#include "binding/interp/interp_state.h"
#include "binding/scheduling/manager_body.h"
#include "core/check.h"

namespace scheduler::binding {

// The interpreter is about to go on with `to`. A stack that nobody has run on yet does the rest itself.
SCHED_ALWAYS_INLINE void restore_state(ManagerBody& manager, TaskletBody& to) {
    const InterpState* const words = std::exchange(to.suspended, nullptr);
    if (words != nullptr && !words->restore(manager.thread_state)) [[unlikely]] {
        manager.tools_changed = true;
    }
}

// Leaves the current stack for that of `to`; returns when somebody comes back. Whoever leaves prepares
// all for whom he leaves to, so that nothing is left to do on arrival.
SCHED_ALWAYS_INLINE void switch_stacks(ManagerBody& manager, TaskletBody& from, TaskletBody& to) {
    InterpState words;
    words.save(manager.thread_state);
    from.suspended = &words;
    from.prefetch_hint = words.prefetch_hint();
    restore_state(manager, to);  // nothing else may run from here to the jump
    core::Context::switch_to(from.context, to.context);
    if (manager.tools_changed) [[unlikely]] {
        manager.tools_changed = false;
        manager.state.instrumentation.catch_up(manager.thread_state);
    }
}

// The C++ runtime's list of exceptions in flight belongs to a stack as well: without this a rethrow
// on one stack raises what another one has caught.
struct CxxExceptions {  // __cxa_eh_globals of the Itanium C++ ABI
    void* caught;
    unsigned int uncaught;
};
inline CxxExceptions& cxx_exceptions(ManagerBody& manager) {
    return *static_cast<CxxExceptions*>(manager.cxx_globals);
}

[[gnu::noinline]] inline void switch_with_exceptions(ManagerBody& manager, TaskletBody& from,
                                                     TaskletBody& to) {
    const CxxExceptions own = std::exchange(cxx_exceptions(manager), {});
    switch_stacks(manager, from, to);
    // Those of another thread, perhaps: a sub-interpreter is not bound to one.
    cxx_exceptions(manager) = own;
}

// switch_stacks(), with or without exceptions in flight. Whoever arrives finds none. The thread state's
// error indicator must be empty.
SCHED_ALWAYS_INLINE void switch_to(ManagerBody& manager, TaskletBody& from, TaskletBody& to) {
    SCHED_DCHECK(core::held_locks() == 0, "a lock is held across a switch");
    SCHED_DCHECK(PyErr_Occurred() == nullptr, "an error is set across a switch");
    const CxxExceptions& exceptions = cxx_exceptions(manager);
    if (exceptions.caught == nullptr && exceptions.uncaught == 0) {
        switch_stacks(manager, from, to);
    } else {
        switch_with_exceptions(manager, from, to);
    }
}

}  // namespace scheduler::binding
