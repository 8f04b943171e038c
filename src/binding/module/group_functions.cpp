#include "binding/module/group_functions.h"

#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/scheduling/enter.h"
#include "binding/scheduling/manager_body.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

// Borrowed; nullptr with TypeError set.
TaskletBody* tasklet_argument(const ModuleState& state, PyObject* object) {
    if (PyObject_TypeCheck(object, state.tasklet_type) == 0) {
        PyErr_Format(PyExc_TypeError, "a tasklet was expected, not %.200s",
                     Py_TYPE(object)->tp_name);
        return nullptr;
    }
    return check_initialised<TaskletObject>(object) ? &body_of(object) : nullptr;
}

bool check_exception(PyObject* object) {
    if (PyExceptionInstance_Check(object)) return true;
    PyErr_Format(PyExc_TypeError, "an exception was expected, not %.200s",
                 Py_TYPE(object)->tp_name);
    return false;
}

bool check_group(PyObject* group) {
    if (PyTuple_Check(group) && PyTuple_GET_SIZE(group) == 3 &&
        PyList_CheckExact(PyTuple_GET_ITEM(group, 2))) {
        return check_exception(PyTuple_GET_ITEM(group, 1));
    }
    PyErr_SetString(PyExc_TypeError, "a group is a tuple (tasklet, exception, list)");
    return false;
}

}  // namespace

PyObject* report_to(ModuleState& state, PyObject* const* args, Py_ssize_t count) {
    if (!check_count("_report_to", count, 2, 2)) return nullptr;
    TaskletBody* const member = tasklet_argument(state, args[0]);
    if (member == nullptr) return nullptr;
    if (args[1] == Py_None) {
        member->get_notes().group.set({});
        Py_RETURN_NONE;
    }
    TaskletBody* const owner =
        check_group(args[1]) ? tasklet_argument(state, PyTuple_GET_ITEM(args[1], 0)) : nullptr;
    ManagerBody* const manager = owner != nullptr ? enter(state) : nullptr;
    if (manager == nullptr) return nullptr;
    if (member->manager != manager || owner->manager != manager || member == owner) {
        return refuse(Refusal::kOtherThread);
    }
    if (!owner->get_note(&TaskletNotes::interrupts)) {
        PyRef list = PyRef::steal(PyList_New(0));
        if (!list) return nullptr;
        owner->get_notes().interrupts.set(std::move(list));
    }
    member->get_notes().group.set(PyRef::share(args[1]));
    Py_RETURN_NONE;
}

PyObject* interrupt_current(ModuleState& state, PyObject* error) {
    ManagerBody* const manager = check_exception(error) ? enter(state) : nullptr;
    if (manager == nullptr) return nullptr;
    manager->interrupt(manager->current_body(), error);
    Py_RETURN_NONE;
}

PyObject* discard_interrupt(ModuleState& state, PyObject* error) {
    ManagerBody* const manager = enter(state);
    if (manager == nullptr) return nullptr;
    manager->discard_interrupt(manager->current_body(), error);
    manager->run_deferred();
    Py_RETURN_NONE;
}

PyObject* can_wait(ModuleState& state) {
    ManagerBody* const manager = enter(state);
    if (manager == nullptr) return nullptr;
    return PyBool_FromLong(manager->find_lasting_obstacle(WaitFor::kJoin) == Obstacle::kNone);
}

}  // namespace scheduler::binding
