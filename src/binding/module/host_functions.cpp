#include "binding/module/host_functions.h"

#include <cmath>

#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/hosting.h"
#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"
#include "binding/threads/park.h"

namespace scheduler::binding {

namespace {

// None: no limit, core::kNever. False with an error set.
bool parse_turns(PyObject* argument, std::int64_t* turns) {
    *turns = core::kNever;
    if (argument == nullptr || argument == Py_None) return true;
    PyRef number = PyRef::steal(PyNumber_Index(argument));
    if (!number) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) != 0) {
            PyErr_Format(PyExc_TypeError, "turns must be a number of turns or None, not %.200s",
                         Py_TYPE(argument)->tp_name);
        }
        return false;
    }
    int overflow = 0;
    *turns = PyLong_AsLongLongAndOverflow(number.get(), &overflow);
    if (overflow > 0) *turns = core::kNever - 1;  // a limit none the less
    if (overflow >= 0 && *turns >= 0) return true;
    PyErr_SetString(PyExc_ValueError, "turns must be 0 or more, or None");
    return false;
}

}  // namespace

PyObject* next_deadline(ModuleState& state) {
    const double seconds = tell_next_deadline(state);
    if (std::isinf(seconds)) Py_RETURN_NONE;
    return PyFloat_FromDouble(seconds);
}

PyObject* set_waker_function(ModuleState& state, PyObject* argument) {
    LoopWaker waker;
    if (argument != Py_None) {
        if (!PyLong_Check(argument)) {
            return PyErr_Format(
                PyExc_TypeError,
                "the waker must be a file descriptor (an int) or None, not %.200s: give what "
                "os.eventfd() returns, or fileno()",
                Py_TYPE(argument)->tp_name);
        }
        waker.fd = int_argument(argument);
        if (waker.fd == -1 && PyErr_Occurred() != nullptr) return nullptr;
        if (!check_waker_fd(waker.fd)) return nullptr;
    }
    int previous = -1;
    if (!set_waker(state, waker, LoopWaker::Kind::kDescriptor, &previous)) return nullptr;
    if (previous < 0) Py_RETURN_NONE;
    return PyLong_FromLong(previous);
}

PyObject* forbid_main_waits(ModuleState& state, PyObject* message) {
    if (message != Py_None && !PyUnicode_Check(message)) {
        return PyErr_Format(PyExc_TypeError,
                            "the message must be a str, or None to allow waits, not %.200s",
                            Py_TYPE(message)->tp_name);
    }
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    PyRef previous =
        manager->exchange_main_refusal(PyRef::share(message == Py_None ? nullptr : message));
    return previous ? previous.release() : Py_NewRef(Py_None);
}

PyObject* pump_function(PyObject* module, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords) {
    static constexpr std::string_view kParameters[] = {"turns", "seconds"};
    PyObject* given[2];
    std::int64_t turns = 0;
    std::int64_t nanoseconds = 0;
    if (!parse_arguments("pump", kParameters, 0, args, count, keywords, given) ||
        !parse_turns(given[0], &turns) || !parse_timeout(given[1], "seconds", &nanoseconds)) {
        return nullptr;
    }
    return guard_memory([&]() -> PyObject* {
        const int more = pump(state_of_module(module), turns, nanoseconds);
        return more >= 0 ? PyBool_FromLong(more) : nullptr;
    });
}

}  // namespace scheduler::binding
