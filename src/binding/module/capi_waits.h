// The functions of the C table in which a tasklet may wait: what they do is written in include/Scheduler.h.
#pragma once

#define SCHEDULER_MODULE
#include "Scheduler.h"

namespace scheduler::binding::capi {

int channel_send(PyChannelObject* channel, PyObject* value);
PyObject* channel_receive(PyChannelObject* channel);
int channel_send_exception(PyChannelObject* channel, PyObject* klass, PyObject* value);
int channel_send_throw(PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb);

}  // namespace scheduler::binding::capi
