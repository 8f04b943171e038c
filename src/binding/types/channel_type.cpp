// Slots, methods and attributes of scheduler.Channel. What a transfer does is in transfer.cpp.

#include "binding/types/channel_type.h"
#include "binding/scheduling/select.h"
#include "binding/scheduling/transfer.h"

#include <structmember.h>

#include <new>

#include "binding/diagnostics/repr.h"
#include "binding/diagnostics/tracing.h"
#include "binding/interp/interpreter.h"
#include "binding/python/errors.h"
#include "binding/threads/park.h"
#include "binding/types/channel_docs.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

using Kind = core::Parcel::Kind;

void register_channel(ModuleState& state, ChannelObject& channel) {
    ++state.channels;
    core::LockGuard guard(state.registry_lock);
    state.registry.push_front(channel);
}

void unregister_channel(ModuleState& state, ChannelObject& channel) {
    --state.channels;
    core::LockGuard guard(state.registry_lock);
    state.registry.remove(channel);
}

PyObject* channel_new(PyTypeObject* type, PyObject*, PyObject*) {
    ModuleState* state = state_of_type(type);
    PyObject* self = state != nullptr ? type->tp_alloc(type, 0) : nullptr;
    if (self == nullptr) return nullptr;
    ChannelObject& channel = channel_of(self);
    new (&channel.channel) core::Channel(self);
    if (state->is_traced()) trace_channel(*state, channel.channel);
    state->hold();
    channel.state = state;
    allow_try_incref(self);
    register_channel(*state, channel);
    return self;
}

int channel_init(PyObject* self, PyObject* args, PyObject* kwargs);

constexpr Constructor kChannelConstructor = {
    channel_new, channel_init, "preference",
    "channel() ignores all arguments but preference=: a channel with room for n objects is "
    "scheduler.buffered(n)"};

// -1, 0 or 1; else false with an error set.
bool parse_preference(PyObject* object, int* preference) {
    if (!PyLong_Check(object)) {
        PyErr_SetString(
            PyExc_TypeError,
            "preference must be an int: -1 favours the receiver, 1 the sender, 0 neither");
        return false;
    }
    int overflow = 0;
    const long number = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow != 0 || number < -1 || number > 1) {
        PyErr_SetString(PyExc_ValueError,
                        "preference must be -1, which favours the receiver, 1, the sender, or 0");
        return false;
    }
    *preference = static_cast<int>(number);
    return true;
}

int channel_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    ChannelObject& channel = channel_of(self);
    if (count != 0 || kwargs != nullptr) {
        PyObject* given = nullptr;
        int preference = 0;
        if (!parse_constructor(kChannelConstructor, self, count, kwargs, &given)) return -1;
        if (given != nullptr && !parse_preference(given, &preference)) return -1;
        if (given != nullptr) channel.channel.set_preference(preference);
    }
    channel.initialised = true;
    return 0;
}

int channel_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    const core::Channel& channel = channel_of(self).channel;
    int result = 0;
    channel.visit_buffered([&](const core::Parcel& parcel) {
        result = visit(static_cast<PyObject*>(parcel.payload()), arg);
        return result == 0;
    });
    return result != 0 ? result : visit_wait_queue(channel, visit, arg);
}

// Whoever waits when the collector has found the channel leaves it in tasklet_finalize().
int channel_clear_references(PyObject* self) {
    for (;;) {
        core::Parcel parcel = channel_of(self).channel.drop_buffered();
        if (parcel.empty()) return 0;
        Py_DECREF(static_cast<PyObject*>(parcel.take_payload()));
    }
}

void channel_dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    ChannelObject& channel = channel_of(self);
    if (channel.weak_references != nullptr) PyObject_ClearWeakRefs(self);
    channel_clear_references(self);
    unregister_channel(*channel.state, channel);
    channel.state->release();
    channel.channel.~Channel();
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* channel_repr(PyObject* self) { return describe(channel_of(self)).release(); }

// ---- methods -----------------------------------------------------------------------------------

// What send() and receive() were given. Returned by value, so that exchange() is called last and the caller's
// frame is gone while it waits.
struct TransferArguments {
    PyObject* value;       // of send()
    std::int64_t timeout;  // below 0: an error is set
};

template <std::size_t Count>
[[gnu::noinline]] TransferArguments parse_transfer(const char* function,
                                                   const std::string_view (&parameters)[Count],
                                                   PyObject* self, PyObject* const* args,
                                                   Py_ssize_t count, PyObject* names) {
    constexpr TransferArguments kError{nullptr, -1};
    constexpr Py_ssize_t kRequired = Count - 1;
    if (!check_initialised<ChannelObject>(self)) return kError;
    PyObject* given[Count];
    // The usual way: by its name, which is interned as ours is.
    if (count == kRequired && names != nullptr && PyTuple_GET_SIZE(names) == 1 &&
        PyTuple_GET_ITEM(names, 0) == channel_of(self).state->timeout_name) {
        std::copy_n(args, Count, given);
    } else if (!parse_arguments(function, parameters, kRequired, args, count, names, given)) {
        return kError;
    }
    std::int64_t timeout = 0;
    if (!parse_timeout(given[kRequired], "timeout", &timeout)) return kError;
    return {given[0], timeout};
}

// With a time-out, or wrong arguments: not inlined, for the ordinary call would have to save registers.
[[gnu::noinline]] PyObject* send_for(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                     PyObject* names) {
    static constexpr std::string_view kParameters[] = {"", "timeout"};
    const auto [value, timeout] = parse_transfer("send", kParameters, self, args, count, names);
    return timeout < 0 ? nullptr : exchange(self, Kind::kValue, Py_NewRef(value), timeout);
}

PyObject* channel_send(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (names == nullptr && count == 1 && is_initialised<ChannelObject>(self)) [[likely]] {
        return exchange<Kind::kValue>(self, Py_NewRef(args[0]));
    }
    return send_for(self, args, count, names);
}

[[gnu::noinline]] PyObject* receive_for(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                        PyObject* names) {
    static constexpr std::string_view kParameters[] = {"timeout"};
    const std::int64_t timeout =
        parse_transfer("receive", kParameters, self, args, count, names).timeout;
    return timeout < 0 ? nullptr : exchange(self, Kind::kEmpty, nullptr, timeout);
}

PyObject* channel_receive(PyObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* names) {
    if (names == nullptr && count == 0 && is_initialised<ChannelObject>(self)) [[likely]] {
        return exchange<Kind::kEmpty>(self, nullptr);
    }
    return receive_for(self, args, count, names);
}

PyObject* channel_send_exception(PyObject* self, PyObject* const* args, Py_ssize_t count,
                                 PyObject* names) {
    static constexpr std::string_view kParameters[] = {"timeout"};
    PyObject* given[1];
    std::int64_t timeout = 0;
    if (!parse_arguments("send_exception", kParameters, 0, args + count, 0, names, given) ||
        !parse_timeout(given[0], "timeout", &timeout)) {
        return nullptr;
    }
    PyRef value;
    if (count == 2) {
        value = PyRef::share(args[1]);
    } else if (count > 2) {
        value = PyRef::steal(PyTuple_New(count - 1));
        if (!value) return nullptr;
        for (Py_ssize_t i = 1; i < count; ++i) {
            PyTuple_SET_ITEM(value.get(), i - 1, Py_NewRef(args[i]));
        }
    }
    if (count > 1 && PyExceptionInstance_Check(args[0])) {
        PyErr_SetString(
            PyExc_TypeError,
            "an exception instance takes no arguments: pass the class, or put them into "
            "the instance");
        return nullptr;
    }
    PyObject* error =
        make_exception(count > 0 ? args[0] : nullptr, value.get(), nullptr, PyExc_RuntimeError);
    value.reset();  // the collector could not see that it is held here
    return error != nullptr ? exchange(self, Kind::kError, error, timeout) : nullptr;
}

PyObject* channel_send_throw(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* const names[] = {"exc", "val", "tb", "timeout", nullptr};
    PyObject *exc = nullptr, *val = nullptr, *tb = nullptr, *seconds = nullptr;
    std::int64_t timeout = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO$O:send_throw", const_cast<char**>(names),
                                     &exc, &val, &tb, &seconds) ||
        !parse_timeout(seconds, "timeout", &timeout)) {
        return nullptr;
    }
    PyObject* error = make_exception(exc, val, tb, PyExc_TypeError, ReadyInstance::kOfExactClass);
    return error != nullptr ? exchange(self, Kind::kError, error, timeout) : nullptr;
}

PyObject* channel_send_or_queue(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("_send_or_queue", count, 2, 2)) return nullptr;
    return none_if(send_or_queue(self, args[0], args[1]));
}

PyObject* channel_receive_unless(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    std::int64_t timeout = 0;
    if (!check_count("_receive_unless", count, 3, 3) ||
        !parse_timeout(args[2], "timeout", &timeout)) {
        return nullptr;
    }
    const AtClose at_close = args[1] == Py_True ? AtClose::kStop : AtClose::kRaise;
    PyObject* got = receive_unless(self, args[0], timeout, at_close);
    if (got == nullptr && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
    return got;
}

PyObject* channel_sending(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("sending", count, 1, 1)) return nullptr;
    return new_send_case(*channel_of(self).state, self, args[0]);
}

PyObject* channel_waiting(PyObject* self, PyObject* const*, Py_ssize_t count) {
    if (!check_count("waiting", count, 0, 0)) return nullptr;
    return list_of(who_waits(channel_of(self).channel));
}

PyObject* channel_clear(PyObject* self, PyObject* const*, Py_ssize_t count) {
    return check_count("clear", count, 0, 0) ? none_if(clear_channel(self)) : nullptr;
}

PyObject* channel_close(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    static constexpr std::string_view kParameters[] = {"wake"};
    PyObject* given[1];
    if (!check_count("close", count, 0, 0) ||
        !parse_arguments("close", kParameters, 0, args, 0, names, given)) {
        return nullptr;
    }
    const int wakes = given[0] != nullptr ? PyObject_IsTrue(given[0]) : 0;
    if (wakes < 0) return nullptr;
    if (wakes != 0) return none_if(close_and_wake(self));
    channel_of(self).channel.close();
    Py_RETURN_NONE;
}

PyObject* channel_open(PyObject* self, PyObject* const*, Py_ssize_t count) {
    if (!check_count("open", count, 0, 0)) return nullptr;
    channel_of(self).channel.open();
    Py_RETURN_NONE;
}

PyObject* channel_iter(PyObject* self) {
    return check_initialised<ChannelObject>(self) ? Py_NewRef(self) : nullptr;
}

PyObject* channel_next(PyObject* self) {
    if (!check_initialised<ChannelObject>(self)) return nullptr;
    if (channel_of(self).channel.closed()) return nullptr;
    return guard_memory(
        [self] { return exchange(self, Kind::kEmpty, nullptr, core::kNever, AtClose::kStop); });
}

// `async for` is that of scheduler.aio, which asyncio has to be loaded for: not before it is asked for.
PyObject* channel_aiter(PyObject* self) {
    if (!check_initialised<ChannelObject>(self)) return nullptr;
    PyRef aio = PyRef::steal(PyImport_ImportModule("scheduler.aio"));
    return aio ? PyObject_CallMethod(aio.get(), "iterate", "O", self) : nullptr;
}

PyObject* channel_enter(PyObject* self, PyObject* const*, Py_ssize_t count) {
    return check_count("__enter__", count, 0, 0) ? Py_NewRef(self) : nullptr;
}

// By the method, which a derived class may have made its own.
PyObject* channel_exit(PyObject* self, PyObject* const*, Py_ssize_t count) {
    if (!check_count("__exit__", count, 3, 3)) return nullptr;
    PyRef close = PyRef::steal(PyObject_GetAttrString(self, "close"));
    PyRef none = PyRef::steal(PyTuple_New(0));
    PyRef wake = PyRef::steal(Py_BuildValue("{sO}", "wake", Py_True));
    if (!close || !none || !wake) return nullptr;
    PyRef closed = PyRef::steal(PyObject_Call(close.get(), none.get(), wake.get()));
    return none_if(static_cast<bool>(closed));
}

// ---- attributes --------------------------------------------------------------------------------

template <PyObject* (*Read)(PyObject*)>
PyObject* getter(PyObject* self, void*) {
    return check_initialised<ChannelObject>(self) ? Read(self) : nullptr;
}

PyObject* balance(PyObject* self) { return PyLong_FromLong(channel_of(self).channel.balance()); }
PyObject* queue(PyObject* self) {
    PyObject* first = first_waiting(self);
    return first != nullptr ? first : Py_NewRef(Py_None);
}
PyObject* closing(PyObject* self) { return PyBool_FromLong(channel_of(self).channel.closing()); }
PyObject* closed(PyObject* self) { return PyBool_FromLong(channel_of(self).channel.closed()); }
PyObject* preference(PyObject* self) {
    return PyLong_FromLong(channel_of(self).channel.preference());
}

int set_preference(PyObject* self, PyObject* value, void*) {
    if (!check_initialised<ChannelObject>(self)) return -1;
    if (value == nullptr) value = Py_None;  // it cannot be deleted
    int number = 0;
    if (parse_preference(value, &number)) {
        channel_of(self).channel.set_preference(number);
    } else if (PyErr_ExceptionMatches(PyExc_ValueError) != 0) {
        PyErr_Clear();  // other numbers are ignored, as programs for this API expect
    } else {
        return -1;
    }
    return 0;
}

template <auto Function>
constexpr auto on_channel = fast_method<ChannelObject, Function>;

PyMethodDef channel_methods[] = {
    {"send", as_method(channel_send), METH_FASTCALL | METH_KEYWORDS, docs::send},
    {"receive", as_method(channel_receive), METH_FASTCALL | METH_KEYWORDS, docs::receive},
    {"send_exception", as_method(keyword_fast_method<ChannelObject, channel_send_exception>),
     METH_FASTCALL | METH_KEYWORDS, docs::send_exception},
    {"send_throw", as_method(keyword_method<ChannelObject, channel_send_throw>),
     METH_VARARGS | METH_KEYWORDS, docs::send_throw},
    {"_send_or_queue", as_method(on_channel<channel_send_or_queue>), METH_FASTCALL, nullptr},
    {"_receive_unless", as_method(on_channel<channel_receive_unless>), METH_FASTCALL, nullptr},
    {"sending", as_method(on_channel<channel_sending>), METH_FASTCALL, docs::sending},
    {"waiting", as_method(on_channel<channel_waiting>), METH_FASTCALL, docs::waiting},
    {"clear", as_method(on_channel<channel_clear>), METH_FASTCALL, docs::clear},
    {"close", as_method(keyword_fast_method<ChannelObject, channel_close>),
     METH_FASTCALL | METH_KEYWORDS, docs::close},
    {"open", as_method(on_channel<channel_open>), METH_FASTCALL, docs::open},
    {"__enter__", as_method(on_channel<channel_enter>), METH_FASTCALL, docs::enter},
    {"__exit__", as_method(on_channel<channel_exit>), METH_FASTCALL, docs::exit},
    {"__reduce__", refuse_to_pickle, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, docs::channel_class_getitem},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef channel_attributes[] = {
    {"balance", getter<balance>, nullptr, docs::balance, nullptr},
    {"queue", getter<queue>, nullptr, docs::queue, nullptr},
    {"preference", getter<preference>, set_preference, docs::preference, nullptr},
    {"closing", getter<closing>, nullptr, docs::closing, nullptr},
    {"closed", getter<closed>, nullptr, docs::closed, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef channel_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ChannelHead, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot channel_slots[] = {
    {Py_tp_doc, const_cast<char*>(docs::channel)},
    {Py_tp_new, reinterpret_cast<void*>(channel_new)},
    {Py_tp_init, reinterpret_cast<void*>(channel_init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(channel_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(channel_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(channel_clear_references)},
    {Py_tp_repr, reinterpret_cast<void*>(channel_repr)},
    {Py_tp_iter, reinterpret_cast<void*>(channel_iter)},
    {Py_tp_iternext, reinterpret_cast<void*>(channel_next)},
    {Py_am_aiter, reinterpret_cast<void*>(channel_aiter)},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_attributes},
    {Py_tp_members, channel_members},
    {0, nullptr},
};

}  // namespace

PyType_Spec channel_type_spec = {
    "scheduler.Channel", sizeof(ChannelObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    channel_slots};

}  // namespace scheduler::binding
