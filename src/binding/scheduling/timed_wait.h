// A wait with an end: the time that the operation was given, or that of the scheduler.timeout() scopes
// which the tasklet is in, whichever comes first.
#pragma once

#include <algorithm>
#include <cstdint>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// From before the tasklet enters a wait queue until it is out of it; end() is called by hand, for no
// destructor may do that when a daemon thread is ended in the wait.
struct TimedWait : core::Wait {
    // For `timeout` nanoseconds at most; core::kNever and 0: no end of its own.
    TimedWait(ManagerBody& manager, TaskletBody& who, std::int64_t timeout);
    // The clock of timers shows `now`.
    TimedWait(ManagerBody& manager, TaskletBody& who, std::int64_t timeout, std::int64_t now);
    void end();

    // The wait is over. Was it a scope's time that has ended it?
    bool ended_by_scope() const { return timed_out && scope_deadline() < own_deadline_; }
    // Sets the error for that.
    void raise_scope_expired() const;
    // Another tasklet has given a scope another time.
    void update();

  private:
    std::int64_t scope_deadline() const { return body_of(tasklet).scope_deadline(); }

    ManagerBody& manager_;
    const std::int64_t own_deadline_;
};

// Sets the error of a tasklet that waits when the time of a scope is over.
void raise_expired(const TaskletBody& tasklet);

// The innermost scope of the tasklet (None: there is none) and the earliest deadline of all that it is in,
// as the clock of its thread's timers shows it. False with an error set.
bool set_timeout_scope(TaskletBody& tasklet, PyObject* scope, std::int64_t deadline);

}  // namespace scheduler::binding
