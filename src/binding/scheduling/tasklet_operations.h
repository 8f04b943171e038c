// What can be done to a tasklet, as the Python types and the C table both do it.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

// The calling thread's manager with its mail read: the first step of every operation that looks at or
// changes a queue. nullptr with an error set. May run Python.
ManagerBody* enter_with_mail(ManagerBody& manager);
SCHED_ALWAYS_INLINE ManagerBody* enter(ModuleState& state) {
    ManagerBody* manager = manager_of_this_thread(state);
    return manager == nullptr || !manager->has_mail() ? manager : enter_with_mail(*manager);
}

// The same for one that may give control away, which first raises what the current tasklet holds back.
// No manager that has something to look at is found by the short way.
ManagerBody* enter_carefully(ModuleState& state);
SCHED_ALWAYS_INLINE ManagerBody* enter_to_switch(ModuleState& state) {
    ManagerBody* manager = last_manager_if_right(state);
    if (manager == nullptr) return enter_carefully(state);
    return !manager->has_mail() ? manager : enter_with_mail(*manager);
}

// ---- arguments
// `callable` may be nullptr (not given) or None (unbind, if neither args nor kwargs is given); `args`
// and `kwargs` nullptr: not given. Owner thread only.
bool bind(TaskletBody& tasklet, PyObject* callable, PyObject* args, PyObject* kwargs);
bool setup(TaskletBody& tasklet, PyObject* args, PyObject* kwargs);
// The present activation, if any, is over: one that has started is unwound. Owner thread only.
void end_present_activation(ManagerBody& manager, TaskletBody& tasklet);

// ---- the queue
bool insert(TaskletBody& tasklet);
bool remove(TaskletBody& tasklet);
bool run(TaskletBody& tasklet);
bool switch_to_tasklet(TaskletBody& tasklet);

// ---- exceptions
bool kill(TaskletBody& tasklet, bool pending);
// `error` (stolen) is raised in the tasklet.
bool throw_at(TaskletBody& tasklet, PyObject* error, bool pending);
// Queues a tasklet of the calling thread's manager with an exception for its next turn.
void make_pending(ManagerBody& manager, TaskletBody& tasklet, PyRef error, bool kill);

// ---- the calling thread
bool schedule(ModuleState& state, bool remove);
bool run_all(ModuleState& state);
// Main tasklet only: run_all() for `timeout` nanoseconds at most (core::kNever: no limit), and with
// `threadblock` again and again, waiting meanwhile, until no live tasklet is left.
bool run_waiting(ModuleState& state, bool threadblock, std::int64_t timeout);
bool run_turns(ModuleState& state, long long turns);
bool run_for(ModuleState& state, long long nanoseconds);

}  // namespace scheduler::binding
