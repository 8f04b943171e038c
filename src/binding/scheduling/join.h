// Waiting for the end of a tasklet.
//
// Who joins a tasklet waits in the wait queue of a channel that belongs to the tasklet, is made when the
// first one comes, and is never seen by a program. The end of an activation closes the channel and
// serves all who wait, with its outcome; a new activation opens it. So killing, thread end and mail between threads
// are those of any tasklet that waits.
#pragma once

#include <cstdint>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Waits until `tasklet`, of any thread, is dead, for `timeout` nanoseconds at most. 1: it is dead; 0:
// the time is up; -1: an error is set. `outcome`, which is empty: the caller asks for what the tasklet returns
// or raises, see TaskletBody::outcome_parcel(), and gets it there unless it was dead already.
int join(TaskletBody& tasklet, std::int64_t timeout, core::Parcel* outcome = nullptr);

// Where those wait who join it.
core::Channel& join_queue_of(TaskletBody& tasklet);
// Not one that must go on first for the tasklet to end. False with an error set.
bool check_can_end_first(const ManagerBody& manager, const TaskletBody& tasklet);

// The end of the tasklet's object.
void delete_join_queue(TaskletBody& tasklet);

}  // namespace scheduler::binding
