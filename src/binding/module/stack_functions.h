// set_stack_size(), get_stack_size(), stack_stats() and trim_stacks().
#pragma once

#include "binding/module/module.h"

namespace scheduler::binding {

// As PyMethodDef's functions: a new reference, or nullptr with an error set.
PyObject* set_stack_size(ModuleState& state, PyObject* bytes);
PyObject* get_stack_size(ModuleState& state);
PyObject* stack_stats(ModuleState& state);
PyObject* trim_stacks(ModuleState& state);

}  // namespace scheduler::binding
