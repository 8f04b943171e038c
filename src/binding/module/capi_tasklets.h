// The functions of the C table for what a tasklet is to do, and for its end: what they do is written in
// include/Scheduler.h.
#pragma once

#define SCHEDULER_MODULE
#include "Scheduler.h"

namespace scheduler::binding::capi {

int tasklet_bind(PyTaskletObject* tasklet, PyObject* callable, PyObject* args, PyObject* kwds);
int tasklet_remove(PyTaskletObject* tasklet);
int tasklet_throw(PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb,
                  int pending);
int tasklet_throw_alone(PyTaskletObject* tasklet, PyObject* exc, PyObject* val, PyObject* tb);
int tasklet_kill_alone(PyTaskletObject* tasklet);
int tasklet_join(PyTaskletObject* tasklet, double seconds);
PyObject* tasklet_result(PyTaskletObject* tasklet, double seconds);
int run_until(int threadblock, double seconds);

}  // namespace scheduler::binding::capi
