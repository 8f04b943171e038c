// Threads that have nothing to do: waiting for other threads with the GIL released, and letting them
// go first.
//
// All functions: owner thread, with the GIL, with its main tasklet current unless said otherwise.
#pragma once

#include <cstdint>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// A time in nanoseconds, of an argument in seconds: None means for ever (core::kNever). False with
// TypeError or ValueError set.
bool parse_timeout(PyObject* seconds, const char* name, std::int64_t* nanoseconds);
// When a wait of that length that begins now is over.
std::int64_t deadline_after(std::int64_t nanoseconds);

// In other threads no signal handlers of Python programs run. (Where a host has initialised Python in
// another one, none is run while it waits.)
bool runs_signal_handlers(const ManagerBody& manager);

// Is there anybody who could serve a main tasklet that waits on a channel?
bool may_main_wait(const ManagerBody& manager);
// Main is in the wait queue and no tasklet of the thread is runnable: waits for mail or a timer. False
// with an error set: a signal handler has raised one, or nobody is left to wait for (then main is out
// of the line). Main is to look whether it has been served, also after an error.
bool park_main(ManagerBody& manager);

// Every live tasklet of the thread waits: until mail, a timer or `deadline` comes. False with an error
// set: from a signal handler, or a deadlock.
bool park_for_work(ManagerBody& manager, std::int64_t deadline);

// A run() that has found nothing to do: lets another thread have the GIL before it returns. Any
// tasklet may be current. Does not sleep.
void yield_gil(ManagerBody& manager);

}  // namespace scheduler::binding
