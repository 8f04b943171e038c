// What timeouts.py, sync and testing.py need of the clock of the calling thread's timers, under names with an
// underscore.
#pragma once

#include "binding/module/module.h"

namespace scheduler::binding {

// As PyMethodDef's functions: a new reference, or nullptr with an error set.

// int: what it shows, in nanoseconds.
PyObject* read_clock(ModuleState& state);
// (patience), in nanoseconds: stops the clock, which moves on by itself when the thread has had nothing to do for
// so long. None: it goes on.
PyObject* stop_clock(ModuleState& state, PyObject* patience);
// (nanoseconds): moves on a clock that is stopped.
PyObject* advance_clock(ModuleState& state, PyObject* nanoseconds);

}  // namespace scheduler::binding
