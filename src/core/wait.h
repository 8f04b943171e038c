// A wait that may end in another way than by its channel: the record of it lies on the stack of whoever
// waits, from before the wait begins until it is over.
#pragma once

#include "timers.h"

namespace scheduler::core {

struct Tasklet;

// Owner thread.
struct Wait : Timer {
    explicit Wait(Tasklet& who) : tasklet(who) {}

    Tasklet& tasklet;
    bool timed_out = false;  // the timer has taken the tasklet out of the wait queue
};

}  // namespace scheduler::core
