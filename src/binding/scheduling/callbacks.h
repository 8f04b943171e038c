// The two callbacks a program can install, and the native hook of the C table.
//
// Whatever they raise is reported to sys.unraisablehook; scheduling goes on.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// "Current is about to change": called before the change, in the middle of the switch. May run
// Python, which must not switch. With nobody watching it costs a load and a test.
void call_schedule_callbacks(ManagerBody& manager, TaskletBody& from, TaskletBody& to);
inline void notify_switch(ManagerBody& manager, TaskletBody& from, TaskletBody& to) {
    if (manager.state.watches_switches()) call_schedule_callbacks(manager, from, to);
}

// A send or receive is about to begin. May run Python, and may switch: trust nothing read before.
void call_channel_callback(ModuleState& state, PyObject* channel, PyObject* tasklet, bool sending,
                           bool will_block);

}  // namespace scheduler::binding
