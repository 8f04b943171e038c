#include "binding/module/capi_channels.h"

#include "binding/module/capi_call.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding::capi {

namespace {

// The class is written in Python: it is in the package. Empty with an error set.
PyRef queue_channel_type() {
    const PyRef package = PyRef::steal(PyImport_ImportModule("scheduler"));
    return PyRef::steal(package ? PyObject_GetAttrString(package.get(), "QueueChannel") : nullptr);
}

// 1, 0, or -1 with an error set.
int is_queue_channel(PyObject* object) {
    PyTypeObject* const plain = table_state->channel_type;
    if (Py_TYPE(object) == plain || !PyObject_TypeCheck(object, plain)) return 0;
    const PyRef type = queue_channel_type();
    return type ? PyObject_IsInstance(object, type.get()) : -1;
}

}  // namespace

bool find_queue(PyObject* channel, PyRef* items) {
    const int has_queue = is_queue_channel(channel);
    if (has_queue <= 0) return has_queue == 0;
    *items = PyRef::steal(PyObject_GetAttrString(channel, "_items"));
    return static_cast<bool>(*items);
}

bool check_type_argument(PyTypeObject* type, PyTypeObject* base) {
    if (type != nullptr && PyType_Check(reinterpret_cast<PyObject*>(type)) &&
        PyType_IsSubtype(type, base) != 0) {
        return true;
    }
    PyErr_Format(PyExc_TypeError, "the type must be %R or derived from it", base);
    return false;
}

int channel_close(PyChannelObject* channel, int wake) {
    return with_channel(channel, -1, [wake](PyObject* object) {
        if (wake != 0) return zero_or_error(close_and_wake(object));
        channel_of(object).channel.close();
        return 0;
    });
}

int channel_clear(PyChannelObject* channel) {
    return with_channel(channel, -1,
                        [](PyObject* object) { return zero_or_error(clear_channel(object)); });
}

int channel_get_balance(PyChannelObject* channel) {
    return with_channel(channel, -1, [](PyObject* object) {
        PyRef items;
        if (!find_queue(object, &items)) return -1;
        const Py_ssize_t queued = items ? PyObject_Size(items.get()) : 0;
        return queued != 0 ? static_cast<int>(queued) : channel_of(object).channel.balance();
    });
}

PyChannelObject* queue_channel_new(PyTypeObject* type) {
    return attached(static_cast<PyChannelObject*>(nullptr), [=]() -> PyChannelObject* {
        if (type != nullptr && !check_type_argument(type, table_state->channel_type)) {
            return nullptr;
        }
        const PyRef base = queue_channel_type();
        if (!base) return nullptr;
        auto* const queue_type = reinterpret_cast<PyTypeObject*>(base.get());
        if (type != nullptr && !check_type_argument(type, queue_type)) return nullptr;
        PyObject* const made = type != nullptr ? reinterpret_cast<PyObject*>(type) : base.get();
        return reinterpret_cast<PyChannelObject*>(PyObject_CallNoArgs(made));
    });
}

int queue_channel_check(PyObject* object) {
    if (object == nullptr) return 0;
    return attached(0, [object] {
        const int has_queue = is_queue_channel(object);
        if (has_queue < 0) PyErr_Clear();
        return has_queue > 0 ? 1 : 0;
    });
}

}  // namespace scheduler::binding::capi
