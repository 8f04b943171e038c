// The C function table behind the capsule `scheduler._C_API`; see include/Scheduler.h.
#pragma once

#include <Python.h>

#include "binding/module/module.h"

namespace scheduler::binding {

// Adds the capsule to the module. False with an error set.
bool publish_table(PyObject* module, ModuleState& state);
// The module is going: the table must not use its state any more.
void forget_state(ModuleState& state);

}  // namespace scheduler::binding
