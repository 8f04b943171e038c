// What other threads ask of the tasklets of this one. Owner thread.
#pragma once

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// Reads the mail of other threads and acts on it. Runs no Python.
void read_mail(ManagerBody& manager);

// Takes a tasklet of this thread out of the wait queue of its channel. False: it was in none, or another
// thread has served it; then its mail has been read.
bool cancel_wait(ManagerBody& manager, TaskletBody& tasklet);
// A tasklet of this thread that another one has just taken out of a wait queue is posted to its own
// thread while that thread holds the channel's lock: waits for this moment. Afterwards the tasklet is
// not in transit.
void await_delivery(ManagerBody& manager, TaskletBody& tasklet);

// Waits until `has_come` is true, which another thread is about to make it, and to wake this one.
template <typename Predicate>
void wait_for_others(ManagerBody& manager, Predicate has_come) {
    while (!has_come()) {
        manager.parking().announce();
        if (has_come()) {
            manager.parking().cancel();
            return;
        }
        PyThreadState* const thread = PyEval_SaveThread();
        manager.parking().wait(core::kNever);
        PyEval_RestoreThread(thread);
    }
}

}  // namespace scheduler::binding
