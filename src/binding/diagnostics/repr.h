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

// Where a tasklet waits, while it does.
struct Place {
    // A channel, or in join() the tasklet that is to end. Empty: it does not wait (any more), or what
    // it waits for is being destroyed.
    PyRef object;
    core::Direction direction = core::Direction::kReceive;  // of a channel
    bool is_join = false;
};
Place place_of(const TaskletBody& tasklet);

}  // namespace scheduler::binding
