// The Task's side of a bond: the iterator behind `await bond`.

#include "binding/aio/bond.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/tasklet_operations.h"

namespace scheduler::binding {

namespace {

using Stage = BondObject::Stage;

// False with an error set: what the Task is to raise.
bool give_turn(BondObject& bond) {
    bond.is_inside = true;
    const bool ok = resume(bond.body());
    bond.is_inside = false;
    if (ok) return true;
    const PyRef error = PyRef::steal(take_error());
    return static_cast<bool>(
        PyRef::steal(PyObject_CallMethod(bond.object(), "report", "(O)", error.get())));
}

// As Bond.serve(): 1 if the tasklet waits and may go on; 0; -1 with an error set.
int serve(BondObject& bond) {
    if (!bond.is_waiting || bond.is_served) return 0;
    if (bond.gate == nullptr || bond.gate == Py_None) {
        bond.is_served = true;
        return 1;
    }
    const PyRef served = PyRef::steal(PyObject_CallMethod(bond.object(), "serve", nullptr));
    return served ? PyObject_IsTrue(served.get()) : -1;
}

// The Task is done with the bond, because of `error` or, if that is empty, for its own good. Returns nullptr,
// without an error or with what the Task is to raise.
PyObject* leave(BondObject& bond, PyRef error) {
    bond.stage = Stage::kLeft;
    bond.is_answered = true;
    PyObject* const why = error ? error.get() : Py_None;
    PyRef::steal(PyObject_CallMethod(bond.object(), "leave", "(O)", why)).reset();
    return nullptr;
}
PyObject* leave_by_error(BondObject& bond) { return leave(bond, PyRef::steal(take_error())); }

// What the Task does next, once the tasklet has had its turn: it waits for what that wants, or until that
// needs another turn.
PyObject* next_wait(BondObject& bond) {
    if (bond.wanted != nullptr && !bond.has_ended) {
        bond.stage = Stage::kYielded;
        return bond.take(&BondObject::wanted).release();
    }
    if (bond.has_ended || (bond.is_own && bond.depth == 0)) return leave(bond, {});
    PyObject* const future = PyObject_CallMethod(bond.object(), "begin_idle", nullptr);
    if (future == nullptr) return leave_by_error(bond);
    bond.stage = Stage::kIdle;
    return future;
}

// The Task goes on; `error` (borrowed) is raised in it, unless that is nullptr.
PyObject* go_on(BondObject& bond, PyObject* error) {
    const bool was_idle = bond.stage == Stage::kIdle;
    const bool is_answer = bond.stage == Stage::kYielded;
    if (is_answer) bond.is_answered = true;
    if (was_idle && !PyRef::steal(PyObject_CallMethod(bond.object(), "end_idle", nullptr))) {
        return leave_by_error(bond);
    }
    if (error != nullptr && is_answer && bond.is_waiting) {
        bond.set(&BondObject::reply, PyRef::share(error));
    } else if (error != nullptr &&
               !PyRef::steal(PyObject_CallMethod(bond.object(), "forward", "(O)", error))) {
        return leave_by_error(bond);
    }
    if (was_idle && bond.has_ended) return leave(bond, {});
    if (bond.wanted == nullptr) {
        const int served = serve(bond);
        if (served < 0) return leave_by_error(bond);
        // One that has stopped waiting for the answer has its turns as any other tasklet has.
        const bool has_turn = served == 1 || !is_answer;
        if (has_turn && !give_turn(bond)) return leave_by_error(bond);
    }
    return next_wait(bond);
}

}  // namespace

PyObject* bond_next(PyObject* self) {
    BondObject& bond = bond_at(self);
    return bond.stage != Stage::kLeft ? go_on(bond, nullptr) : nullptr;
}

PyObject* bond_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    BondObject& bond = bond_at(self);
    if (!check_count("throw", count, 1, 3)) return nullptr;
    PyObject* const value = count > 1 ? args[1] : nullptr;
    PyObject* const traceback = count > 2 ? args[2] : nullptr;
    PyRef error = PyRef::steal(make_exception(args[0], value, traceback, PyExc_TypeError));
    if (!error) return nullptr;
    if (bond.stage == Stage::kLeft) {
        raise_error(error.release());
        return nullptr;
    }
    const bool ends = bond.stage == Stage::kNew ||
                      PyErr_GivenExceptionMatches(error.get(), PyExc_GeneratorExit) != 0;
    PyObject* const next = ends ? leave(bond, std::move(error)) : go_on(bond, error.get());
    if (next == nullptr && PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_StopIteration);
    return next;
}

PyObject* bond_close(PyObject* self, PyObject*) {
    if (bond_at(self).stage == Stage::kLeft) Py_RETURN_NONE;
    bond_throw(self, &PyExc_GeneratorExit, 1);
    if (PyErr_ExceptionMatches(PyExc_GeneratorExit) == 0) return nullptr;
    PyErr_Clear();
    Py_RETURN_NONE;
}

}  // namespace scheduler::binding
