// Errors that come too late to fail a wait.
//
// A wait that was served succeeds: one that fails says that nothing was transferred. What would have
// ended it (a signal handler's exception, throw(), the failure of another tasklet) is held back, and
// raised by the tasklet's next operation that can give control away, before that does anything. The one
// that holds an error is current, or drives those that are, until then.
//
// All functions: owner thread, with the GIL.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// The current tasklet's operation is complete: holds back the error that is set, and clears it. False
// for a tasklet that is to die of it, with what it has received.
bool hold_error(ManagerBody& manager);

// Raises what the current tasklet holds back: false then.
bool nothing_held(ManagerBody& manager);

// The thread ends: its main tasklet has no next operation. Reports what that holds back.
void report_held(ManagerBody& manager);

}  // namespace scheduler::binding
