// May an operation act on this tasklet? All that return bool: false with an error set.
#pragma once

#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

bool refused(Refusal refusal);
bool refused_type(Refusal refusal, PyObject* given);
// It has no callable to be set up with.
bool refused_without_callable(const TaskletBody& tasklet);
// It cannot run: its thread has ended, or it has not begun yet, or has ended by itself.
bool refused_dead(const TaskletBody& tasklet);
// It belongs to another thread, or to none any more.
bool refused_elsewhere(const TaskletBody& tasklet);

// Asks the tasklet's thread for something: bits of core::mail.
bool post(TaskletBody& tasklet, std::uint32_t bits);

}  // namespace scheduler::binding
