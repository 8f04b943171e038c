// scheduler.select(): waiting for the first of several things.
#pragma once

#include <Python.h>

#include <cstdint>
#include <span>

#include "binding/module/module.h"

namespace scheduler::binding {

// channel.sending(value): a case that sends. A named tuple (channel, value).
extern PyStructSequence_Desc send_case_description;
// A new reference to one, or nullptr with an error set.
PyObject* new_send_case(const ModuleState& state, PyObject* channel, PyObject* value);

// Does one of `cases`, waiting for `timeout` nanoseconds at most until one can be done: a new reference to
// (index, value), or nullptr with an error set. `ordered`: the first that can be done at once is preferred;
// else where the look begins goes round. May run Python, and switch.
PyObject* select(ModuleState& state, std::span<PyObject* const> cases, std::int64_t timeout,
                 bool ordered);

}  // namespace scheduler::binding
