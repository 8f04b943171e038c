// Waiting for a time and nothing else.
#pragma once

#include <cstdint>

#include "binding/module/module.h"

namespace scheduler::binding {

// The calling thread's current tasklet sleeps for so many nanoseconds (core::kNever: until it is killed),
// and others run. With 0 it gives way, as schedule() does. False with an error set. May run Python.
bool sleep_for(ModuleState& state, std::int64_t nanoseconds);

}  // namespace scheduler::binding
