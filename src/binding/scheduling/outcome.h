// What the callable of a tasklet has returned or raised.
//
// It lies in TaskletBody::args from the end of an activation until the tasklet is bound anew, and goes
// to those who have waited for it in their parcels: for them it is what that activation has come to,
// whatever the tasklet does next.
#pragma once

#include <cstdint>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Joins the tasklet, for `timeout` nanoseconds at most, and returns or raises what its callable has: a new
// reference, or nullptr with an error set.
PyObject* result(TaskletBody& tasklet, std::int64_t timeout);

}  // namespace scheduler::binding
