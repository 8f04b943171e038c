// The functions of the C table for a loop that hosts its thread, and for what it tells of itself: what they do is written in
// include/Scheduler.h.
#pragma once

#define SCHEDULER_MODULE
#include "Scheduler.h"

namespace scheduler::binding::capi {

int pump_some(long long turns, double seconds);
double get_next_deadline();
int set_waker_function(scheduler_waker_func* function, void* data);
int set_waker_fd(int fd);
int forbid_waits(const char* message);

int mark_in_trace(const char* name);

int tasklet_resume(PyTaskletObject* tasklet);

}  // namespace scheduler::binding::capi
