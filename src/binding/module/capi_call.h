// How a function of the C table begins: attached to the interpreter that the table serves, and with
// arguments that are what they should be.
#pragma once

#include <Python.h>

#define SCHEDULER_MODULE
#include "Scheduler.h"

#include <new>

#include "binding/interp/interpreter.h"
#include "binding/module/module.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/manager_body.h"
#include "binding/types/channel_object.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding::capi {

// The table serves the main interpreter, to which PyGILState attaches threads, and the module that it
// imported first; until then, the first module of any interpreter. Written with the GIL held.
extern ModuleState* table_state;

// Is there a module that the calling code's interpreter may use? Sets the error.
bool has_module();

// Lets no C++ exception into the program that called.
template <typename Result, typename Function>
Result call_if_served(Result failure, Function function) {
    try {
        return has_module() ? function() : failure;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return failure;
    }
}

// Runs `function` attached, or returns `failure` with an error set; without Python there is none to set.
// The thread that ends the interpreter is attached and has its errors, though Py_IsInitialized() says no;
// any other one could not attach any more.
// PyGILState_Release() is called by hand: a destructor would run, without the GIL, when a daemon thread
// is ended in here.
template <typename Result, typename Function>
Result attached(Result failure, Function function) {
    if (holds_gil()) return call_if_served(failure, function);
    if (Py_IsInitialized() == 0) return failure;
    const PyGILState_STATE gil = PyGILState_Ensure();
    const Result result = call_if_served(failure, function);
    PyGILState_Release(gil);
    return result;
}
inline constexpr PyObject* kNull = nullptr;

// "New reference to None, or NULL": from success or failure.
inline PyObject* none_or_null(bool ok) { return none_if(ok); }
inline int zero_or_error(bool ok) { return ok ? 0 : -1; }

// An argument as an object of our type that is fit for use; nullptr with an error set.
template <typename Object>
PyObject* checked(void* argument, PyTypeObject* type) {
    auto* object = static_cast<PyObject*>(argument);
    if (object == nullptr) {
        PyErr_Format(PyExc_TypeError, "expected a %s, not NULL", type->tp_name);
        return nullptr;
    }
    if (!PyObject_TypeCheck(object, type)) {
        PyErr_Format(PyExc_TypeError, "expected a %s, not %.200s", type->tp_name,
                     Py_TYPE(object)->tp_name);
        return nullptr;
    }
    return check_initialised<Object>(object) ? object : nullptr;
}
inline PyObject* checked_tasklet(void* argument) {
    return checked<TaskletObject>(argument, table_state->tasklet_type);
}
inline PyObject* checked_channel(void* argument) {
    return checked<ChannelObject>(argument, table_state->channel_type);
}

// Calls `function(TaskletBody&)` attached; `failure` for an argument that is no tasklet.
template <typename Result, typename Function>
Result with_tasklet(PyTaskletObject* tasklet, Result failure, Function function) {
    return attached(failure, [&]() -> Result {
        PyRef object = PyRef::share(checked_tasklet(tasklet));
        return object ? function(body_of(object.get())) : failure;
    });
}

// The same for a channel, as an object.
template <typename Result, typename Function>
Result with_channel(PyChannelObject* channel, Result failure, Function function) {
    return attached(failure, [&]() -> Result {
        PyRef object = PyRef::share(checked_channel(channel));
        return object ? function(object.get()) : failure;
    });
}

template <typename Function>
int with_manager(Function function) {
    return attached(-1, [&] {
        ManagerBody* manager = enter(*table_state);
        return manager != nullptr ? function(*manager) : -1;
    });
}

}  // namespace scheduler::binding::capi
