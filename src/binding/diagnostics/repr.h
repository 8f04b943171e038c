// Tasklets, channels and managers in words: for repr(), and for messages about a state that somebody
// wants to understand.
//
// Nothing here runs code of the program, not even a signal handler, or switches, so that it can be
// called in the middle of a wait. Functions return empty with an error set if memory is short.
#pragma once

#include "binding/scheduling/manager_body.h"
#include "binding/types/channel_object.h"
#include "core/channel.h"

namespace scheduler::binding {

// The name that the program gave, or that of the callable; "main" for a main tasklet. A plain str.
PyRef name_of(const TaskletBody& tasklet);

// Of its owner thread, or -1 when that has ended: an int.
PyRef thread_id_of(const TaskletBody& tasklet);

// What str() says of a tasklet, in whatever state: its name and its address.
PyRef identify(const TaskletBody& tasklet);
// What repr() says.
PyRef describe(const TaskletBody& tasklet);
PyRef describe(const ChannelObject& channel);

// What a tasklet waits for, while it does: "receives on <scheduler.Channel ...>", "joins ...",
// "sleeps", "waits in select() on 3 cases", and how long still. Empty without an error: it does not wait
// (any more), or it cannot be told.
PyRef describe_wait(const TaskletBody& tasklet);

}  // namespace scheduler::binding
