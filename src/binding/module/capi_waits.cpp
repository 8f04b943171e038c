#include "binding/module/capi_waits.h"

#include <algorithm>
#include <vector>

#include "binding/module/capi_call.h"
#include "binding/module/capi_channels.h"
#include "binding/python/errors.h"
#include "binding/scheduling/select.h"
#include "binding/scheduling/sleep.h"
#include "binding/scheduling/transfer.h"
#include "binding/threads/park.h"

namespace scheduler::binding::capi {

bool parse_seconds(double seconds, std::int64_t* nanoseconds) {
    if (to_nanoseconds(seconds, nanoseconds)) return true;
    PyErr_SetString(PyExc_ValueError, "seconds must be 0 or more, or SCHEDULER_NO_LIMIT");
    return false;
}

namespace {

using Kind = core::Parcel::Kind;

// ---- transfers: `timeout` is one number of nanoseconds, or none, as for exchange() ----------------

// Not NULL? Sets the error.
bool check_sent(PyObject* value) {
    if (value == nullptr) {
        PyErr_SetString(PyExc_TypeError, "the value to send must not be NULL");
    }
    return value != nullptr;
}

// Where nobody waits the item is queued, so that there is nothing to wait for.
int send_to_queue(PyObject* channel, PyObject* items, Kind kind, PyObject* sent) {
    const bool is_value = kind == Kind::kValue;
    PyRef data = PyRef::share(sent);
    if (!is_value) {
        const PyRef traceback = PyRef::steal(PyException_GetTraceback(sent));
        PyObject* const shown = traceback ? traceback.get() : Py_None;
        data = PyRef::steal(PyTuple_Pack(3, Py_TYPE(sent), sent, shown));
    }
    if (!data) return -1;
    const PyRef item = PyRef::steal(PyTuple_Pack(2, is_value ? Py_True : Py_False, data.get()));
    return zero_or_error(item && send_or_queue(channel, items, item.get()));
}

template <typename... Timeout>
int send(PyObject* channel, Kind kind, PyObject* stolen, Timeout... timeout) {
    PyRef owned = PyRef::steal(stolen);
    PyRef items;
    if (!find_queue(channel, &items)) return -1;
    if (items) return send_to_queue(channel, items.get(), kind, stolen);
    stolen = owned.release();
    return zero_or_error(
        static_cast<bool>(PyRef::steal(exchange(channel, kind, stolen, timeout...))));
}

template <typename... Timeout>
int send_value(PyObject* channel, PyObject* value, Timeout... timeout) {
    return check_sent(value) ? send(channel, Kind::kValue, Py_NewRef(value), timeout...) : -1;
}

// A QueueChannel's own method takes what is queued, again if others have been quicker.
PyObject* receive_from_queue(PyObject* channel, std::int64_t timeout) {
    const PyRef seconds = PyRef::steal(
        timeout == core::kNever ? Py_NewRef(Py_None)
                                : PyFloat_FromDouble(static_cast<double>(timeout) / 1e9));
    return seconds ? PyObject_CallMethod(channel, "_take", "OO", Py_False, seconds.get()) : nullptr;
}

template <typename... Timeout>
PyObject* receive(PyObject* channel, Timeout... timeout) {
    PyRef items;
    if (!find_queue(channel, &items)) return nullptr;
    if (!items) return exchange(channel, Kind::kEmpty, nullptr, timeout...);
    return receive_from_queue(channel, std::min({core::kNever, timeout...}));
}

// What to send in place of a value.
struct Exception {
    PyObject *exc, *val, *tb;
    ReadyInstance ready;
};

template <typename... Timeout>
int send_made(PyObject* channel, const Exception& sent, Timeout... timeout) {
    PyObject* error = make_exception(sent.exc, sent.val, sent.tb, PyExc_RuntimeError, sent.ready);
    return error != nullptr ? send(channel, Kind::kError, error, timeout...) : -1;
}

// As with_channel(), for a `function(channel, nanoseconds)`.
template <typename Result, typename Function>
Result with_timeout(PyChannelObject* channel, double seconds, Result failure, Function function) {
    return with_channel(channel, failure, [&](PyObject* object) {
        std::int64_t timeout = 0;
        return parse_seconds(seconds, &timeout) ? function(object, timeout) : failure;
    });
}

// ---- select ------------------------------------------------------------------------------------

// nullptr with TypeError set for what is no Event.
PyObject* checked_event(PyObject* object) {
    if (object != nullptr && PyObject_HasAttrString(object, "_gate") != 0) return object;
    PyErr_Format(PyExc_TypeError, "SCHEDULER_CASE_EVENT needs a scheduler.sync.Event, not %.200s",
                 object != nullptr ? Py_TYPE(object)->tp_name : "NULL");
    return nullptr;
}

// The case as Python's select() takes it; empty with an error set.
PyRef new_case(const SchedulerCase& one) {
    switch (one.kind) {
        case SCHEDULER_CASE_RECEIVE:
            return PyRef::share(checked_channel(one.object));
        case SCHEDULER_CASE_SEND: {
            PyObject* const channel = checked_channel(one.object);
            if (channel == nullptr || !check_sent(one.value)) return {};
            return PyRef::steal(new_send_case(*table_state, channel, one.value));
        }
        case SCHEDULER_CASE_JOIN:
            return PyRef::share(checked_tasklet(one.object));
        case SCHEDULER_CASE_EVENT:
            return PyRef::share(checked_event(one.object));
        default:
            PyErr_Format(PyExc_ValueError,
                         "a case to select has kind %d: it must be SCHEDULER_CASE_RECEIVE, "
                         "SCHEDULER_CASE_SEND, SCHEDULER_CASE_JOIN or SCHEDULER_CASE_EVENT",
                         one.kind);
            return {};
    }
}

// (index, value), or empty with an error set.
PyRef select_one(const SchedulerCase* cases, Py_ssize_t count, std::int64_t timeout, bool ordered) {
    if (cases == nullptr && count > 0) {
        PyErr_SetString(PyExc_TypeError, "the array of cases must not be NULL");
        return {};
    }
    std::vector<PyRef> owned;
    std::vector<PyObject*> objects;
    for (Py_ssize_t i = 0; i < count; ++i) {
        owned.push_back(new_case(cases[i]));
        if (!owned.back()) return {};
        objects.push_back(owned.back().get());
    }
    return PyRef::steal(select(*table_state, objects, timeout, ordered));
}

}  // namespace

int channel_send(PyChannelObject* channel, PyObject* value) {
    return with_channel(channel, -1,
                        [value](PyObject* object) { return send_value(object, value); });
}
int channel_send_with_timeout(PyChannelObject* channel, PyObject* value, double seconds) {
    return with_timeout(channel, seconds, -1, [value](PyObject* object, std::int64_t timeout) {
        return send_value(object, value, timeout);
    });
}

PyObject* channel_receive(PyChannelObject* channel) {
    return with_channel(channel, kNull, [](PyObject* object) { return receive(object); });
}
PyObject* channel_receive_with_timeout(PyChannelObject* channel, double seconds) {
    return with_timeout(channel, seconds, kNull, [](PyObject* object, std::int64_t timeout) {
        return receive(object, timeout);
    });
}

int channel_send_throw(PyChannelObject* channel, PyObject* exc, PyObject* val, PyObject* tb) {
    return with_channel(channel, -1, [&](PyObject* object) {
        return send_made(object, {exc, val, tb, ReadyInstance::kOfExactClass});
    });
}

int channel_send_exception(PyChannelObject* channel, PyObject* klass, PyObject* value) {
    return with_channel(channel, -1, [&](PyObject* object) {
        return send_made(object, {klass, value, nullptr, ReadyInstance::kOfClass});
    });
}
int channel_send_exception_with_timeout(PyChannelObject* channel, PyObject* klass, PyObject* value,
                                        double seconds) {
    return with_timeout(channel, seconds, -1, [&](PyObject* object, std::int64_t timeout) {
        return send_made(object, {klass, value, nullptr, ReadyInstance::kOfClass}, timeout);
    });
}

int sleep_seconds(double seconds) {
    return attached(-1, [seconds] {
        std::int64_t timeout = 0;
        return zero_or_error(parse_seconds(seconds, &timeout) && sleep_for(*table_state, timeout));
    });
}

Py_ssize_t select_cases(const SchedulerCase* cases, Py_ssize_t count, double seconds, int ordered,
                        PyObject** value) {
    if (value != nullptr) *value = nullptr;
    return attached<Py_ssize_t>(-1, [&]() -> Py_ssize_t {
        std::int64_t timeout = 0;
        if (!parse_seconds(seconds, &timeout)) return -1;
        PyRef done = select_one(cases, count, timeout, ordered != 0);
        if (!done) return -1;
        if (value != nullptr) *value = Py_NewRef(PyTuple_GET_ITEM(done.get(), 1));
        return PyLong_AsSsize_t(PyTuple_GET_ITEM(done.get(), 0));
    });
}

}  // namespace scheduler::binding::capi
