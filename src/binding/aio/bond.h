// A tasklet whose code runs inside the steps of an asyncio Task: the part of scheduler.aio that each step
// goes through. The rest, and what it is all about, is in python/scheduler/aio/_bond.py, whose Bond is derived
// from the type here; its methods are called by name where something is not as usual.
//
// Everything is for the tasklet's own thread, which is the loop's.
#pragma once

#include "binding/module/module.h"
#include "binding/scheduling/tasklet_body.h"

namespace scheduler::binding {

extern PyType_Spec bond_type_spec;

struct BondObject {
    PyObject ob_base;
    // Where the Task stands in `await bond`.
    enum class Stage : unsigned char { kNew, kYielded, kIdle, kLeft } stage;

    // Attributes for Python code, which has their comments in _bond.py's class. Owned; nullptr is None.
    PyObject* tasklet;  // never nullptr, constant
    PyObject* host;
    PyObject* task;
    PyObject* gate;
    PyObject* idle;
    PyObject* reply;
    PyObject* thrown;
    PyObject* value;
    PyObject* error;
    PyObject* wanted;  // nullptr: nothing
    Py_ssize_t depth;
    bool is_own;
    bool is_inside;
    bool is_waiting;
    bool is_served;
    bool is_answered;
    bool is_closed;
    bool has_ended;

    PyObject* object() { return &ob_base; }
    TaskletBody& body() const { return body_of(tasklet); }
    // Takes what the attribute refers to out of it.
    PyRef take(PyObject* BondObject::* attribute) {
        return PyRef::steal(std::exchange(this->*attribute, nullptr));
    }
    void set(PyObject* BondObject::* attribute, PyRef object_ref) {
        const PyRef before = take(attribute);
        this->*attribute = object_ref.release();
    }
};

inline BondObject& bond_at(PyObject* object) { return *reinterpret_cast<BondObject*>(object); }

// That of the tasklet: borrowed, nullptr if it has none.
inline BondObject* bond_of(const TaskletBody& tasklet) {
    const TaskletNotes* const notes = tasklet.notes.load(std::memory_order_relaxed);
    PyObject* const found = notes != nullptr ? notes->bond.borrow() : nullptr;
    return found != nullptr ? &bond_at(found) : nullptr;
}

// All that return a reference: nullptr with an error set.

// ---- bond_driver.cpp: in the Task, which awaits the bond

// Gives the tasklet a turn. Returns what the Task is to wait for; nullptr without an error: it is over.
PyObject* bond_next(PyObject* self);
// The same; the Task has been told `error`, which goes to the tasklet.
PyObject* bond_throw(PyObject* self, PyObject* const* args, Py_ssize_t count);
PyObject* bond_close(PyObject* self, PyObject*);

// ---- await.cpp: in the tasklet

// Runs the coroutine to its end, on the tasklet's own stack, in its turns.
PyObject* bond_run_coroutine(PyObject* self, PyObject* coroutine);
// _await(awaitable, timeout, otherwise): await_() for the usual case, that a tasklet awaits a coroutine in a
// turn of its bond; calls otherwise(awaitable, timeout) in all others.
PyObject* await_function(PyObject* module, PyObject* const* args, Py_ssize_t count);

}  // namespace scheduler::binding
