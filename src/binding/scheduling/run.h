// What a thread does with its queue: yield, and run it.
//
// All functions need the GIL and work from any thread unless their comment says otherwise. Those
// that return bool: false with an error set. Arguments are borrowed unless "stolen".
#pragma once

#include "binding/scheduling/enter.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/suspend.h"

namespace scheduler::binding {

// Drives the queue with a limit that `set` puts in place; afterwards that is gone, also for a run
// around this one. Only turns handed out by main are limited: another tasklet, which may be suspended
// before it gets as far as to end the limit, sets none.
template <typename Set>
bool run_queue_limited(ManagerBody& manager, Set set) {
    if (manager.switching) return manager.run_queue(nullptr);  // refused
    manager.limit().clear();
    if (manager.current_is_main()) set(manager.limit());
    const bool ok = manager.run_queue(nullptr);
    manager.limit().clear();
    return ok;
}

// The current tasklet gives way, to the end of the queue or out of it. `where` as for enter_to_switch().
template <typename Where>
SCHED_ALWAYS_INLINE bool schedule(Where&& where, bool remove) {
    ManagerBody* const manager = enter_to_switch(where);
    return manager != nullptr &&
           manager->suspend_here(remove ? core::Ending::kLeave : core::Ending::kRequeue);
}
bool run_all(ModuleState& state);
// Main tasklet only: run_all() for `timeout` nanoseconds at most (core::kNever: no limit), and with
// `threadblock` again and again, waiting meanwhile, until no live tasklet is left.
bool run_waiting(ModuleState& state, bool threadblock, std::int64_t timeout);
bool run_turns(ModuleState& state, long long turns);
bool run_for(ModuleState& state, long long nanoseconds);

}  // namespace scheduler::binding
