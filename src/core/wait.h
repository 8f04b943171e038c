// A wait that may end in more ways than by one channel: the record of it lies on the stack of whoever
// waits, from before the wait begins until it is over.
//
// A tasklet that waits for several channels has a case in the wait queue of each, all of which are in
// there, or leave, for one and the same reason: whoever is the first to claim the wait ends it. That is
// somebody who serves one of the cases, or its own thread, which gives the wait up. Under the lock of
// the case's channel nobody else can claim *that case*, but others may claim the wait by another one; so
// a claim is one exchange of `claimed`. Who has claimed the wait takes the other cases out, each under
// its channel's lock, before the tasklet can go on: while a case is linked, the record is there.
#pragma once

#include <span>

#include "atomic.h"
#include "timers.h"
#include "waiter.h"

namespace scheduler::core {

// Owner thread, but for what is said.
struct Wait : Timer {
    explicit Wait(Tasklet& who) : tasklet(who) {}
    ~Wait();

    Tasklet& tasklet;
    bool timed_out = false;  // the timer has taken the tasklet out of the wait queue
    std::span<SelectCase*> cases = {};  // in the wait queues since enqueue_locked()
    // Any thread. Written by whoever claims the wait, and read when it is over.
    SelectCase* served = nullptr;
    Atomic<bool> claimed{false};

    bool is_select() const { return !cases.empty(); }
    // Any thread, for a case that it has found linked, under its channel's lock. True: it is the one.
    bool claim() { return !claimed.exchange(true, std::memory_order_acq_rel); }
};

}  // namespace scheduler::core
