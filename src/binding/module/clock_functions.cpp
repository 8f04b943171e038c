#include "binding/module/clock_functions.h"

#include "binding/scheduling/manager_body.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

// False with an error set.
bool nanoseconds_argument(PyObject* argument, std::int64_t* nanoseconds) {
    *nanoseconds = PyLong_AsLongLong(argument);
    if (*nanoseconds == -1 && PyErr_Occurred() != nullptr) return false;
    if (*nanoseconds >= 0) return true;
    PyErr_SetString(PyExc_ValueError, "the clock does not go back");
    return false;
}

}  // namespace

PyObject* read_clock(ModuleState& state) {
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    // Without one nobody has stopped it.
    return PyLong_FromLongLong(manager != nullptr ? manager->clock().time()
                                                  : core::TimerClock::real_time());
}

PyObject* stop_clock(ModuleState& state, PyObject* patience) {
    std::int64_t nanoseconds = 0;
    if (patience != Py_None && !nanoseconds_argument(patience, &nanoseconds)) return nullptr;
    ManagerBody* const manager = manager_of_this_thread(state);
    if (manager == nullptr) return nullptr;
    if (patience != Py_None) {
        manager->patience = nanoseconds;
        manager->stop_clock();
    } else if (manager->clock().is_stopped()) {
        const bool has_deadlines = manager->has_timers() || manager->has_live_tasklets() ||
                                   manager->main_body().is_in_scope();
        manager->start_clock(!has_deadlines);
    }
    Py_RETURN_NONE;
}

PyObject* advance_clock(ModuleState& state, PyObject* argument) {
    std::int64_t nanoseconds = 0;
    if (!nanoseconds_argument(argument, &nanoseconds)) return nullptr;
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    if (manager == nullptr || !manager->clock().is_stopped()) {
        PyErr_SetString(PyExc_RuntimeError, "the clock of this thread is not stopped");
        return nullptr;
    }
    const std::int64_t time = manager->clock().deadline_after(nanoseconds);
    if (time == core::kNever) {
        PyErr_SetString(PyExc_OverflowError, "the clock does not go that far");
        return nullptr;
    }
    manager->move_clock(time);
    Py_RETURN_NONE;
}

}  // namespace scheduler::binding
