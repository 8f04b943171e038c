// The type scheduler.buffered: a channel with a buffer.

#include <new>

#include "binding/types/channel_docs.h"
#include "binding/types/channel_type.h"

namespace scheduler::binding {

namespace {

// False with an error set.
bool parse_capacity(PyObject* object, Py_ssize_t* capacity) {
    PyRef number = PyRef::steal(PyNumber_Index(object));
    if (!number) {
        PyErr_Format(PyExc_TypeError, "capacity must be an int, not %.200s",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    *capacity = PyNumber_AsSsize_t(number.get(), nullptr);
    if (*capacity >= 1) return true;
    PyErr_SetString(PyExc_ValueError,
                    "capacity must be 1 or more: channel() makes a channel without a buffer");
    return false;
}

int buffered_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"capacity", nullptr};
    PyObject* object = nullptr;
    Py_ssize_t capacity = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:buffered", const_cast<char**>(names),
                                     &object) ||
        !parse_capacity(object, &capacity)) {
        return -1;
    }
    ChannelObject& channel = channel_of(self);
    if (channel.initialised) {
        PyErr_SetString(PyExc_RuntimeError, "a channel has its buffer already: make another one");
        return -1;
    }
    try {
        channel.channel.make_buffer(static_cast<std::size_t>(capacity));
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return -1;
    }
    channel.channel.set_preference(core::Channel::kPreferNeither);
    channel.initialised = true;
    return 0;
}

Py_ssize_t buffered_length(PyObject* self) {
    if (!check_initialised<ChannelObject>(self)) return -1;
    return static_cast<Py_ssize_t>(channel_of(self).channel.count_buffered());
}

PyObject* capacity(PyObject* self, void*) {
    if (!check_initialised<ChannelObject>(self)) return nullptr;
    return PyLong_FromSize_t(channel_of(self).channel.capacity());
}

PyGetSetDef buffered_attributes[] = {
    {"capacity", capacity, nullptr, docs::capacity, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot buffered_slots[] = {
    {Py_tp_doc, const_cast<char*>(docs::buffered)},
    {Py_tp_init, reinterpret_cast<void*>(buffered_init)},
    {Py_sq_length, reinterpret_cast<void*>(buffered_length)},
    {Py_tp_getset, buffered_attributes},
    {0, nullptr},
};

}  // namespace

// All else is inherited, the part in the collector too.
PyType_Spec buffered_type_spec = {
    "scheduler.buffered", sizeof(ChannelObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, buffered_slots};

}  // namespace scheduler::binding
