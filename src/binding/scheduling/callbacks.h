// The two callbacks a program can install, and the native hook of the C table.
//
// Whatever they raise is reported to sys.unraisablehook; scheduling goes on.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// A send or receive is about to begin. May run Python, and may switch: trust nothing read before.
void call_channel_callback(ModuleState& state, PyObject* channel, PyObject* tasklet, bool sending,
                           bool will_block);

}  // namespace scheduler::binding
