#include "binding/scheduling/callbacks.h"

#include "binding/interp/interpreter.h"
#include "binding/python/errors.h"

namespace scheduler::binding {

void ManagerBody::call_schedule_callbacks(TaskletBody& from, TaskletBody& to) {
    ErrorStash stash;
    NoSwitchScope mid_switch(*this);
    // The callback may replace itself, and drop the tasklets.
    PyRef callback = state.schedule_callback.get();
    PyRef from_object = PyRef::share(from.object);
    PyRef to_object = PyRef::share(to.object);
    if (callback) {
        PyObject* const arguments[] = {from_object.get(), to_object.get()};
        PyRef result = PyRef::steal(PyObject_Vectorcall(callback.get(), arguments, 2, nullptr));
        if (!result) report_unraisable(callback.get());
    }
    if (FastCallback hook = state.fast_callback.load()) {
        hook(reinterpret_cast<PyTaskletObject*>(from_object.get()),
             reinterpret_cast<PyTaskletObject*>(to_object.get()));
        if (PyErr_Occurred() != nullptr) report_unraisable(nullptr);
    }
    defer_decref(std::move(callback));
    defer_decref(std::move(from_object));
    defer_decref(std::move(to_object));
}

void call_channel_callback(ModuleState& state, PyObject* channel, PyObject* tasklet, bool sending,
                           bool will_block) {
    PyRef callback = state.channel_callback.get();
    if (!callback) return;  // another thread has taken it out
    PyRef task = PyRef::share(tasklet);
    PyObject* const arguments[] = {channel, task.get(), sending ? Py_True : Py_False,
                                   will_block ? Py_True : Py_False};
    PyRef result = PyRef::steal(PyObject_Vectorcall(callback.get(), arguments, 4, nullptr));
    if (!result) report_unraisable(callback.get());
}

}  // namespace scheduler::binding
