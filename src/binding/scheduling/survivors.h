// Tasklets that go on after the collector has called their finalizer.
//
// CPython calls a finalizer once in an object's life. A tasklet may wait again afterwards and be garbage again,
// so it has to be called again. But not in the same collection: that calls all finalizers, then looks once
// more at what nobody can reach, and clears it. Whoever waits again by then would be cleared, with all that
// its stack needs, and is therefore held until the collection is over.
#pragma once

#include <Python.h>

#include "binding/interp/interpreter.h"

namespace scheduler::binding {

struct ModuleState;

// For module_exec(). False, with an exception: no memory.
bool prepare_for_survivors(ModuleState& state);

// Afterwards `object` may be finalised again. Without memory it never is, and stays for as long as it waits.
void hold_until_collection_ends(ModuleState& state, PyObject* object);

// The finalizer of `object`, a tasklet that goes on, is to be called again, by the next collection or when the
// last reference goes. On the tasklet's thread, or in its finalizer; the caller has a reference, or the
// collector.
inline void survive(ModuleState& state, PyObject* object) {
    if (is_being_collected(object)) [[unlikely]] {
        hold_until_collection_ends(state, object);
    } else {
        allow_finalizing_again(object);
    }
}

// The generators on the running stack have been spared, see spare_generators(). They are until the
// collection is over that has found them: the stack may stop again by then.
void keep_running_generators(ModuleState& state, PyThreadState* thread);

}  // namespace scheduler::binding
