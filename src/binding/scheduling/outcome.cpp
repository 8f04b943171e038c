#include "binding/scheduling/outcome.h"

#include "binding/diagnostics/repr.h"
#include "binding/python/errors.h"
#include "binding/scheduling/join.h"
#include "binding/scheduling/target.h"
#include "binding/threads/park.h"

namespace scheduler::binding {

namespace {

using core::Parcel;

// Does somebody wait in result() for the tasklet?
bool is_asked_for_result(const TaskletBody& tasklet) {
    const core::Channel* const queue = tasklet.joiners.load();
    bool asked = false;
    if (queue != nullptr) {
        queue->visit_waiting([&asked](const core::Tasklet& waiting) {
            asked = static_cast<const TaskletBody&>(waiting).asks;
            return !asked;
        });
    }
    return asked;
}

// Tells the group, if the tasklet is a member of one. The first failure interrupts whoever is to leave it.
bool tell_group(ManagerBody& manager, const TaskletBody& tasklet, PyObject* error) {
    PyRef group = tasklet.get_note(&TaskletNotes::group);
    if (!group) return false;
    PyObject* const failures = PyTuple_GET_ITEM(group.get(), 2);
    const bool is_first = PyList_GET_SIZE(failures) == 0;
    if (PyList_Append(failures, error) < 0) {
        PyErr_Clear();  // no memory: the driver gets it
        return false;
    }
    if (is_first) {
        manager.interrupt(body_of(PyTuple_GET_ITEM(group.get(), 0)),
                          PyTuple_GET_ITEM(group.get(), 1));
    }
    return true;
}

PyObject* refuse_failed(const TaskletBody& tasklet, PyObject* error_class) {
    PyRef who = identify(tasklet);
    if (!who) return nullptr;
    PyErr_Format(
        PyExc_RuntimeError,
        "%U has failed with %.200s, and whoever ran it has got that: result() raises it if "
        "it is waiting by then, or if the tasklet is one of a TaskletGroup or has dont_raise",
        who.get(), reinterpret_cast<PyTypeObject*>(error_class)->tp_name);
    return nullptr;
}

PyObject* open_outcome(const TaskletBody& tasklet, Parcel& outcome) {
    const bool is_error = outcome.kind() == Parcel::Kind::kError;
    PyRef object = PyRef::steal(static_cast<PyObject*>(outcome.take_payload()));
    if (!object) {
        return refuse(tasklet.ended ? Refusal::kThreadEnded : Refusal::kResultOfKilled);
    }
    if (!is_error) return object.release();
    if (PyExceptionClass_Check(object.get())) return refuse_failed(tasklet, object.get());
    raise_here(object.release());
    return nullptr;
}

// Of a tasklet that was dead when somebody looked. False: it has been given something new to do.
bool find_outcome(const TaskletBody& tasklet, Parcel& outcome) {
    core::LockGuard guard(tasklet.module_state.registry_lock);
    if (tasklet.outcome.load(std::memory_order_acquire) == Outcome::kNone) return false;
    outcome = tasklet.outcome_parcel();
    return true;
}

}  // namespace

PyObject* ManagerBody::fail(TaskletBody& tasklet, PyRef error) {
    defer_decref(std::move(tasklet.args));  // of one that never ran
    if (PyErr_GivenExceptionMatches(error.get(), state.tasklet_exit) != 0) {
        defer_decref(std::move(error));
        tasklet.set_outcome(Outcome::kKilled, {});
        return nullptr;
    }
    const bool in_group = tell_group(*this, tasklet, error.get());
    if (in_group || is_asked_for_result(tasklet)) {
        tasklet.set_outcome(Outcome::kRaised, std::move(error));
        return nullptr;
    }
    tasklet.set_outcome(Outcome::kFailed,
                        PyRef::share(reinterpret_cast<PyObject*>(Py_TYPE(error.get()))));
    return error.release();
}

PyObject* result(TaskletBody& tasklet, std::int64_t timeout) {
    if (tasklet.is_main) return refuse(Refusal::kResultOfMain);
    Parcel outcome;
    do {
        const int joined = join(tasklet, timeout, &outcome);
        if (joined < 0) return nullptr;
        if (joined == 0) {
            PyRef who = identify(tasklet);
            if (who) {
                raise_timeout(PyUnicode_FromFormat("result() of %U", who.get()), timeout,
                              "it has not ended");
            }
            return nullptr;
        }
        if (!outcome.empty() || find_outcome(tasklet, outcome)) {
            return open_outcome(tasklet, outcome);
        }
    } while (tasklet.alive());
    refused_dead(tasklet);
    return nullptr;
}

}  // namespace scheduler::binding
