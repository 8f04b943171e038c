// What groups.py needs of the extension, under names with an underscore.
#pragma once

#include "binding/module/module.h"

namespace scheduler::binding {

// As PyMethodDef's functions: a new reference, or nullptr with an error set.

// (member, group), where `group` is a tuple: the tasklet that waits for the members, the exception to interrupt
// it with at the first failure, a list of failures. Those of the member's next activation go there. None: to the
// driver again.
PyObject* report_to(ModuleState& state, PyObject* const* args, Py_ssize_t count);
// Interrupts the current tasklet by an exception: its next operation that can give control away raises it.
PyObject* interrupt_current(ModuleState& state, PyObject* error);
// Not any more.
PyObject* discard_interrupt(ModuleState& state, PyObject* error);
// bool: would join() let the current tasklet wait, now or once it has raised what comes first?
PyObject* can_wait(ModuleState& state);

}  // namespace scheduler::binding
