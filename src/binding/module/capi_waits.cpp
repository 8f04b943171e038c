#include "binding/module/capi_waits.h"

#include "binding/module/capi_call.h"
#include "binding/python/errors.h"
#include "binding/scheduling/transfer.h"

namespace scheduler::binding::capi {

namespace {

using Kind = core::Parcel::Kind;

// Not NULL? Sets the error.
bool check_sent(PyObject* value) {
    if (value == nullptr) {
        PyErr_SetString(PyExc_TypeError, "the value to send must not be NULL");
    }
    return value != nullptr;
}

int send(PyObject* channel, Kind kind, PyObject* stolen) {
    return zero_or_error(static_cast<bool>(PyRef::steal(exchange(channel, kind, stolen))));
}

int send_value(PyObject* channel, PyObject* value) {
    return check_sent(value) ? send(channel, Kind::kValue, Py_NewRef(value)) : -1;
}

PyObject* receive(PyObject* channel) { return exchange(channel, Kind::kEmpty, nullptr); }

// What to send in place of a value.
struct Exception {
    PyObject *exc, *val, *tb;
    ReadyInstance ready;
};

int send_made(PyObject* channel, const Exception& sent) {
    PyObject* error = make_exception(sent.exc, sent.val, sent.tb, PyExc_RuntimeError, sent.ready);
    return error != nullptr ? send(channel, Kind::kError, error) : -1;
}

}  // namespace

int channel_send(PyChannelObject* channel, PyObject* value) {
    return with_channel(channel, -1,
                        [value](PyObject* object) { return send_value(object, value); });
}

PyObject* channel_receive(PyChannelObject* channel) {
    return with_channel(channel, kNull, [](PyObject* object) { return receive(object); });
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

}  // namespace scheduler::binding::capi
