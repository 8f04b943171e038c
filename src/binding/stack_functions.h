// set_stack_size(), get_stack_size(), stack_stats() and trim_stacks().
#pragma once

#include "module.h"

namespace scheduler::binding {

// As PyMethodDef's functions: a new reference, or nullptr with an error set.
PyObject* set_stack_size(State& state, PyObject* bytes);
PyObject* get_stack_size(State& state);
PyObject* stack_stats(State& state);
PyObject* trim_stacks(State& state);

}  // namespace scheduler::binding
