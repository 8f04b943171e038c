// The functions of the C table in which a tasklet may wait: what they do is written in include/Scheduler.h.
#pragma once

#define SCHEDULER_MODULE
#include "Scheduler.h"

#include <cstdint>

namespace scheduler::binding::capi {

// False with ValueError set.
bool parse_seconds(double seconds, std::int64_t* nanoseconds);

int channel_send(PyChannelObject* channel, PyObject* value);
PyObject* channel_receive(PyChannelObject* channel);
int channel_send_exception(PyChannelObject* channel, PyObject* klass, PyObject* value);
int channel_send_throw(PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb);

int channel_send_with_timeout(PyChannelObject* channel, PyObject* value, double seconds);
PyObject* channel_receive_with_timeout(PyChannelObject* channel, double seconds);
int channel_send_exception_with_timeout(PyChannelObject* channel, PyObject* klass, PyObject* value,
                                        double seconds);
int sleep_seconds(double seconds);
Py_ssize_t select_cases(const SchedulerCase* cases, Py_ssize_t count, double seconds, int ordered,
                        PyObject** value);

}  // namespace scheduler::binding::capi
