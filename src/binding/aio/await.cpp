// The tasklet's side of a bond: awaiting a coroutine.
//
// References are dropped by reset() on the usual way: a destructor looks first whether the thread has the GIL.

#include "binding/aio/bond.h"
#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/run.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

// Goes on with the coroutine in Python. `wanted`: it has yielded that, and `error` has ended the wait
// for it, if there is one. Without `wanted`: `error` is to be raised in it.
PyObject* run_carefully(BondObject& bond, PyObject* coroutine, PyRef error, const PyRef* wanted) {
    PyObject* const raised = error ? error.get() : Py_None;
    if (wanted == nullptr) {
        return PyObject_CallMethod(bond.object(), "run_carefully", "(OOO)", coroutine, Py_None,
                                   raised);
    }
    return PyObject_CallMethod(bond.object(), "run_carefully", "(OOOO)", coroutine, Py_None, raised,
                               wanted->get());
}

// Lets the Task wait for `wanted`. False: something else has ended the wait, an error is set.
bool wait_for_answer(BondObject& bond, const PyRef& wanted) {
    bond.is_answered = bond.is_served = false;
    bond.set(&BondObject::wanted, PyRef::share(wanted.get()));
    bond.is_waiting = true;
    bool ok = true;
    while (ok && !bond.is_served)
        ok = schedule(bond.body().module_state, true);  // others may insert it
    bond.is_waiting = false;
    return ok;
}

PyObject* run_to_end(BondObject& bond, PyObject* coroutine) {
    for (;;) {
        PyObject* result = nullptr;
        if (PyIter_Send(coroutine, Py_None, &result) != PYGEN_NEXT) return result;
        PyRef wanted = PyRef::steal(result);
        const TaskletBody& tasklet = bond.body();
        if (!bond.is_inside || tasklet.block_trap || tasklet.is_in_scope()) {
            return run_carefully(bond, coroutine, {}, &wanted);
        }
        if (!wait_for_answer(bond, wanted)) {
            return run_carefully(bond, coroutine, PyRef::steal(take_error()), &wanted);
        }
        wanted.reset();
        bond.set(&BondObject::wanted, {});
        PyRef reply = bond.take(&BondObject::reply);
        if (reply && reply.get() != Py_None) {
            return run_carefully(bond, coroutine, std::move(reply), nullptr);
        }
    }
}

// Does the current tasklet have a turn in the step of its Task? 1: that is its bond; 0; -1 with an error set.
int find_open_bond(ModuleState& state, PyRef* found) {
    const ManagerBody* const manager = last_manager_if_right(state);
    BondObject* const bond = manager != nullptr ? bond_of(manager->current_body()) : nullptr;
    if (bond == nullptr || !bond->is_inside) return 0;
    *found = PyRef::share(bond->object());
    // Another Task is the current one in the first step of an eager one that the tasklet has made.
    PyRef task = PyRef::steal(PyObject_CallNoArgs(state.current_task.borrow()));
    if (!task) return -1;
    const bool is_own = task.get() == bond->task;
    task.reset();
    return is_own ? 1 : 0;
}

// Somebody awaits it already: 1, 0, or -1 with an error set.
int is_suspended(ModuleState& state, PyObject* coroutine) {
    PyRef flag = PyRef::steal(PyObject_GetAttr(coroutine, state.cr_suspended));
    if (!flag) return -1;
    const bool is_taken = flag.get() == Py_True;
    flag.reset();
    return is_taken ? 1 : 0;
}

}  // namespace

PyObject* bond_run_coroutine(PyObject* self, PyObject* coroutine) {
    BondObject& bond = bond_at(self);
    ++bond.depth;
    PyObject* const result = run_to_end(bond, coroutine);
    --bond.depth;
    return result;
}

PyObject* await_function(PyObject* module, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("_await", count, 3, 3)) return nullptr;
    if (PyCoro_CheckExact(args[0]) && args[1] == Py_None) {
        ModuleState& state = state_of_module(module);
        PyRef bond;
        const int is_open = find_open_bond(state, &bond);
        const int is_taken = is_open > 0 ? is_suspended(state, args[0]) : 0;
        if (is_open < 0 || is_taken < 0) return nullptr;
        if (is_open > 0 && is_taken == 0) {
            PyObject* const result = bond_run_coroutine(bond.get(), args[0]);
            bond.reset();
            return result;
        }
    }
    return PyObject_Vectorcall(args[2], args, 2, nullptr);
}

}  // namespace scheduler::binding
