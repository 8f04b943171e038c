// The functions of the C table that close channels, and QueueChannel: what they do is written in
// include/Scheduler.h.
#pragma once

#define SCHEDULER_MODULE
#include "Scheduler.h"

#include "binding/python/refs.h"

namespace scheduler::binding::capi {

int channel_close(PyChannelObject* channel, int wake);
int channel_clear(PyChannelObject* channel);
int channel_get_balance(PyChannelObject* channel);

PyChannelObject* queue_channel_new(PyTypeObject* type);
int queue_channel_check(PyObject* object);

// The deque of a QueueChannel; empty for any other channel. False with an error set.
bool find_queue(PyObject* channel, PyRef* items);

// Is it `base` or derived from it? Sets TypeError.
bool check_type_argument(PyTypeObject* type, PyTypeObject* base);

}  // namespace scheduler::binding::capi
