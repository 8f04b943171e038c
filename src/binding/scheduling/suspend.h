// How nearly every turn ends, inline for a yield, which does nothing else. switcher.cpp has the rest.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

SCHED_ALWAYS_INLINE bool ManagerBody::suspend_here(core::Ending how) {
    // Does nothing come between the end of one turn and the next one? The mail has been read just now, by
    // enter().
    const bool is_quiet =
        open_tls_slot != nullptr && !is_time_to_look() && !state.watches_switches();
    if (is_quiet && how <= core::Ending::kBlock) {
        TaskletBody& self = current_body();
        if (core::Tasklet* const to = pass_turn(how)) {
            prefetch_behind(*to);
            return suspend_for(self, body_of(*to));
        }
    }
    return suspend_carefully(how);
}

}  // namespace scheduler::binding
