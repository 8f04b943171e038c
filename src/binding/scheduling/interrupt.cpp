// Interrupts: errors that end whatever a tasklet waits for or runs, main's included. They are kept in a
// list besides, so that neither kill() and throw() nor each other can replace them unseen.

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

namespace {

// -1: it is not there.
Py_ssize_t find(PyObject* list, PyObject* error) {
    for (Py_ssize_t i = PyList_GET_SIZE(list); --i >= 0;) {
        if (PyList_GET_ITEM(list, i) == error) return i;
    }
    return -1;
}

void remove(PyObject* list, PyObject* error) {
    const Py_ssize_t at = find(list, error);
    if (at >= 0 && PyList_SetSlice(list, at, at + 1, nullptr) < 0) PyErr_Clear();
}

}  // namespace

void ManagerBody::interrupt(TaskletBody& tasklet, PyObject* error) {
    if (!tasklet.alive()) return;
    // Without memory for the list it can be replaced.
    if (PyRef waiting = tasklet.get_note(&TaskletNotes::interrupts)) {
        if (PyList_Append(waiting.get(), error) < 0) PyErr_Clear();
    }
    if (tasklet.is_main) {
        // The end of its loop takes it out of its wait queue, as a failure does: see suspend_main().
        if (!tasklet.pending) tasklet.pending = PyRef::share(error);
    } else if (!tasklet.pending) {
        make_pending(tasklet, PyRef::share(error), false);
    }
    if (&tasklet == &current()) {
        held_error.hold_pending();
    } else if (tasklet.has_turn()) {
        fail_loop_of(tasklet);
    }
}

void ManagerBody::discard_interrupt(TaskletBody& tasklet, PyObject* error) {
    PyRef waiting = tasklet.get_note(&TaskletNotes::interrupts);
    if (waiting) remove(waiting.get(), error);
    if (tasklet.pending.get() != error) return;
    defer_decref(std::move(tasklet.pending));
    held_error.release_pending();
    interrupt_further(tasklet, error);
}

void ManagerBody::interrupt_further(TaskletBody& tasklet, PyObject* raised) {
    PyRef waiting = tasklet.get_note(&TaskletNotes::interrupts);
    if (!waiting) return;
    remove(waiting.get(), raised);
    if (tasklet.pending || PyList_GET_SIZE(waiting.get()) == 0) return;
    tasklet.pending = PyRef::share(PyList_GET_ITEM(waiting.get(), 0));
    held_error.hold_pending();
}

}  // namespace scheduler::binding
